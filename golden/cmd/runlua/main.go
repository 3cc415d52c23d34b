// Command runlua compiles Lua files to Go and runs the first one: the others
// are modules that it can require. With -go it only prints the Go code.
//
//	go run ./golden/cmd/runlua [-go | -build BIN] script.lua [module.lua ...]
//
// The program writes a CPU profile to the file named by $CPUPROFILE.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/moonphase/moonphase/transpile"
)

const program = `package main

import (
	"fmt"
	"os"
	"runtime/pprof"

	rt "github.com/moonphase/moonphase/runtime"

	"github.com/moonphase/moonphase/golden/.build/run/lua"
)

func main() {
	if name := os.Getenv("CPUPROFILE"); name != "" {
		if f, err := os.Create(name); err == nil {
			pprof.StartCPUProfile(f)
			defer pprof.StopCPUProfile()
		}
	}
	st := rt.NewState(rt.Options{Chunks: lua.Chunks})
	if _, err := st.NewThread().PCall(st.Load(st.Chunk("main"), "")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
`

func main() {
	show := flag.Bool("go", false, "print the Go code of the first file")
	bin := flag.String("build", "", "only build this binary")
	flag.Parse()
	if err := run(flag.Args(), *show, *bin); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(files []string, show bool, bin string) error {
	var chunks []transpile.Chunk
	for i, f := range files {
		src, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		key := "main"
		if i > 0 {
			key = strings.TrimSuffix(filepath.Base(f), ".lua")
		}
		chunks = append(chunks, transpile.Chunk{Key: key, Name: "@" + f, Module: key, GoName: key, File: f, Source: src})
	}
	res, err := transpile.Transpile(chunks, transpile.Options{})
	if err != nil {
		return err
	}
	transpile.WriteText(os.Stderr, res.Diagnostics, false)
	dir := "golden/.build/run"
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir+"/lua", 0o777); err != nil {
		return err
	}
	for _, f := range res.Files {
		if show && f.Name == "main_lua.go" {
			os.Stdout.Write(f.Data)
			return nil
		}
		if err := os.WriteFile(filepath.Join(dir, "lua", f.Name), f.Data, 0o666); err != nil {
			return err
		}
	}
	if err := os.WriteFile(dir+"/main.go", []byte(program), 0o666); err != nil {
		return err
	}
	prog := dir + "/prog"
	if bin != "" {
		prog = bin
	}
	build := exec.Command("go", "build", "-o", prog, "./"+dir)
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil || bin != "" {
		return err
	}
	cmd := exec.Command(prog)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}
