package connection

import (
	"context"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/version"
)

// ServerVersion asks the API server which release it is. Everybody may.
func (c *Connection) ServerVersion(ctx context.Context) (*version.Info, error) {
	const doing = "ask for the server's version"
	call, cancel := c.Bounded(ctx)
	defer cancel()
	data, err := c.Core.RESTClient().Get().AbsPath("/version").Do(call).Raw()
	if err != nil {
		return nil, c.Explain(ctx, err, doing)
	}
	var info version.Info
	if err := json.Unmarshal(data, &info); err != nil {
		return nil, fmt.Errorf("could not %s: %w", doing, err)
	}
	if info.GitVersion == "" {
		return nil, c.Explain(ctx, &ResponseError{Found: "without a version", Wanted: "a version"}, doing)
	}
	return &info, nil
}
