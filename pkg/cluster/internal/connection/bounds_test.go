package connection

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestBounds_AListWithoutAnEndEnds(t *testing.T) {
	progress := pageProgress{}
	for i := range 2 * mostPages {
		if err := progress.check(fmt.Sprint(i), false); err != nil {
			if !strings.Contains(err.Error(), "without an end") || i != mostPages-1 {
				t.Errorf("page %d: %v", i, err)
			}
			return
		}
	}
	t.Error("it goes on")
}

func TestBounds_WaitsThatAServerAsksForAreCapped(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "0": "0", "1": "1", "30": "30", "31": "30", "2000000000": "30", "99999999999999999999": "30", "-1": "30",
		"Fri, 31 Dec 2094 23:59:59 GMT": "30",
	} {
		header := http.Header{}
		if text != "" {
			header.Set("Retry-After", text)
		}
		capRetryAfter(header)
		if got := header.Get("Retry-After"); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Retry-After", "2000000000") }))
	t.Cleanup(server.Close)
	call, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := boundAnswers(http.DefaultTransport).RoundTrip(call)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if got := answer.Header.Get("Retry-After"); got != "30" {
		t.Errorf("an answer asks for a wait of %q seconds, want 30", got)
	}
}
