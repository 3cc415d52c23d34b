// Command embed is a Go program with Lua handlers inside: package edge is
// generated from lua/, and its chunks are mounted beside ordinary handlers.
package main

import (
	"fmt"
	"log"
	"net/http"

	"github.com/moonphase/moonphase/examples/embed/edge"
	"github.com/moonphase/moonphase/phases"
)

//go:generate go run ../../cmd/moonphase gen -o edge lua

// newMux returns the program's routes.
func newMux() (*http.ServeMux, error) {
	greet, err := phases.NewHandler(edge.Chunks, phases.HandlerConfig{
		HTTP: `lua_shared_dict seen 1m;`,
		Server: `
			location / {
				access_by_lua_file  lua/access.lua;
				content_by_lua_file lua/greet.lua;
			}`,
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/greet", greet)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "this is Go; try /greet")
	})
	return mux, nil
}

func main() {
	mux, err := newMux()
	if err != nil {
		log.Fatal(err)
	}
	log.Print("listening on http://127.0.0.1:18081")
	log.Fatal(http.ListenAndServe("127.0.0.1:18081", mux))
}
