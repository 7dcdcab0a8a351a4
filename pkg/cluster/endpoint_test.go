package cluster

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
)

func TestEndpoint_AnEndpointHoldsNoPasswordOfItsConfiguration(t *testing.T) {
	proxy := &url.URL{Scheme: "http", Host: "127.0.0.1:1", User: url.UserPassword("jane", "secret")}
	client := clientOf(t, &rest.Config{Host: "https://127.0.0.1:1/?token=secret", Proxy: http.ProxyURL(proxy)})
	if endpoint := client.Endpoint(); endpoint.ProxyURL != "http://127.0.0.1:1" || endpoint.Server != "https://127.0.0.1:1/" {
		t.Errorf("the endpoint is %q through %q", endpoint.Server, endpoint.ProxyURL)
	}
	if used, err := client.Target().Proxy(&http.Request{}); err != nil || used.User == nil {
		t.Errorf("the connection itself goes through %v, %v", used, err)
	}
	for _, host := range []string{"https://jane:secret@h", "https://jane:%zzsecret@h", "https://jane:secret@h:port"} {
		if _, err := connect(&rest.Config{Host: host}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("the error is %v", err)
		}
	}
}
