package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func parseBlock(t *testing.T, text string) *block {
	t.Helper()
	b := new(block)
	if err := json.Unmarshal([]byte(text), b); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRequests(t *testing.T) {
	tests := []struct{ sections, want string }{
		{`{"request": "GET /t\n"}`, "GET /t HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"},
		{`{"request": "  GET /t HTTP/1.0\n", "more_headers": "A: b\nHost: x\n"}`,
			"GET /t HTTP/1.0\r\nConnection: close\r\nA: b\r\nHost: x\r\n\r\n"},
		{`{"request": "POST /t\nhello\n"}`,
			"POST /t HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"},
		{`{"pipelined_requests": ["GET /a", "GET /b"]}`,
			"GET /a HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n" +
				"GET /b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"},
		{`{"raw_request": [{"value": "GE", "delay": 1}, "T /"]}`, "GET /"},
	}
	for _, tt := range tests {
		b := parseBlock(t, `{"sections": `+tt.sections+`}`)
		all, err := b.exchanges()
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for _, x := range all {
			for _, p := range x.pieces {
				got.WriteString(p.text)
			}
		}
		if got.String() != tt.want {
			t.Errorf("%s:\ngot  %q\nwant %q", tt.sections, got.String(), tt.want)
		}
	}
}

func TestChunkedBodiesAreCheckedStrictly(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	for body, ok := range map[string]bool{
		"3\r\nabc\r\n0\r\n\r\n":      true,
		"3\r\nabc\r\n":               false,
		"3\r\nabc\r\n0\r\n\r\nextra": false,
		"4\r\nabc\r\n0\r\n\r\n":      false,
		"x\r\nabc\r\n0\r\n\r\n":      false,
	} {
		r, err := parseResponses([]byte(head+body), exchange{requests: 1})
		if (err == nil) != ok || ok && r[0].body != "abc" {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func TestChecks(t *testing.T) {
	const log = "[error] one\n[warn] two 22\n"
	resp := &response{status: "200", body: "hi\n", headers: []header{{"A", "1"}, {"a", "2"}}}
	tests := []struct {
		sections string
		wrong    string // what fails, "" for nothing
	}{
		{`{"response_body": "hi\n"}`, ""},
		{`{"response_body": "ho\n"}`, "response_body"},
		{`{"response_body_like": "^h.\n$"}`, ""},
		{`{"error_code": "404"}`, "error_code"},
		{`{"response_headers": "A: 1, 2\n! B\n"}`, ""},
		{`{"response_headers": "!A\n"}`, "response_headers"},
		{`{"error_log": "one\ntwo\n"}`, ""},
		{`{"error_log": {"__regexp": "(?^:two \\d+$)"}}`, ""},
		{`{"error_log": ["three"]}`, "error_log"},
		{`{"no_error_log": "[alert]\n"}`, ""},
		{`{"no_error_log": "[alert]\n[error]\n"}`, "no_error_log"},
		{`{"grep_error_log": {"__regexp": "(?^:two \\d|one)"}, "grep_error_log_out": "one\ntwo 2\n"}`, ""},
		{`{"grep_error_log": "one", "grep_error_log_out": ["", "one\n"]}`, "grep_error_log_out"},
	}
	for _, tt := range tests {
		b := parseBlock(t, `{"sections": `+tt.sections+`}`)
		err := b.checkResponse(0, resp)
		if err == nil {
			err = b.checkLog(log, 0)
		}
		if (err == nil) != (tt.wrong == "") || err != nil && !strings.HasPrefix(err.Error(), tt.wrong+":") {
			t.Errorf("%s: got %v, want %q", tt.sections, err, tt.wrong)
		}
	}
}
