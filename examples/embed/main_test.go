package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestHandlers(t *testing.T) {
	mux, err := newMux()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(mux)
	defer server.Close()
	for _, tt := range []struct {
		path, name string
		status     int
		body, seen string
	}{
		{"/", "", 200, "this is Go; try /greet\n", ""},
		{"/greet", "", 401, "who are you?\n", ""},
		{"/greet", "ann", 200, "Hello, Ann, visit 1\n", "1"},
		{"/greet", "bob", 200, "Hello, Bob, visit 1\n", "1"},
		{"/greet", "ann", 200, "Hello, Ann, visit 2\n", "2"},
	} {
		req, err := http.NewRequest("GET", server.URL+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if tt.name != "" {
			req.Header.Set("X-Name", tt.name)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != tt.status || string(body) != tt.body || resp.Header.Get("X-Seen") != tt.seen {
			t.Errorf("%s as %q: %d %q, X-Seen %q; want %d %q, %q", tt.path, tt.name,
				resp.StatusCode, body, resp.Header.Get("X-Seen"), tt.status, tt.body, tt.seen)
		}
	}
}
