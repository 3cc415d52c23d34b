// Command moonphase compiles OpenResty Lua to Go and builds servers from it.
package main

import "os"

func main() { os.Exit(Main(os.Args[1:], os.Stdout, os.Stderr)) }
