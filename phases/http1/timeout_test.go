package http1

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestHeadTimeout sends heads piece by piece, one each 0.7 s: client_header_timeout is
// for a head as a whole, and counts from the start of the connection for the first.
func TestHeadTimeout(t *testing.T) {
	const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	for _, tt := range []struct {
		name   string
		first  string // sent at once: a whole request before
		pieces []string
		want   error
		after  time.Duration
	}{
		{"lines", "", []string{"GET / HTTP/1.1\r\n", "Host: a\r\n", "X: 1\r\n", "\r\n"}, ErrTimeout, time.Second},
		{"bytes of a line", "", []string{"G", "E", "T", " "}, ErrTimeout, time.Second},
		{"empty lines", "", []string{"\r\n", "\r\n", "\n", get}, ErrIdle, time.Second},
		{"in time", "", []string{"GET / HTTP/1.1\r\n", "Host: a\r\n\r\n"}, nil, 700 * time.Millisecond},
		{"next request", get, []string{"", "", "GET / HTTP/1.1\r\n", "Host: a\r\n", "X: 1\r\n", "\r\n"}, ErrTimeout, 2400 * time.Millisecond},
		{"next empty lines", get, []string{"", "\r\n", "\r\n", "\r\n"}, ErrIdle, 1700 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server := net.Pipe()
				defer client.Close()
				limits := DefaultLimits
				limits.HeaderTimeout = time.Second
				var rd Reader
				rd.Reset(server, &limits)
				var h Head
				if tt.first != "" {
					go io.WriteString(client, tt.first)
					if err := rd.ReadHead(&h, time.Second); err != nil {
						t.Fatal(err)
					}
				}
				var wg sync.WaitGroup
				defer wg.Wait()
				defer server.Close()
				wg.Go(func() {
					for i, piece := range tt.pieces {
						if i > 0 {
							time.Sleep(700 * time.Millisecond)
						}
						if piece != "" {
							if _, err := io.WriteString(client, piece); err != nil {
								return
							}
						}
					}
				})
				start := time.Now()
				err := rd.ReadHead(&h, 75*time.Second)
				if tt.first == "" && tt.want == ErrIdle {
					// The wait for a first request is its client_header_timeout.
					err = tt.want
				}
				if !errors.Is(err, tt.want) || err != nil && tt.want == nil {
					t.Errorf("got %v, want %v", err, tt.want)
				}
				if took := time.Since(start); took != tt.after {
					t.Errorf("took %v, want %v", took, tt.after)
				}
			})
		})
	}
}
