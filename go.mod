module github.com/moonphase/moonphase

go 1.26

require (
	github.com/alicebob/miniredis/v2 v2.40.0
	github.com/andybalholm/brotli v1.3.0
	github.com/dave/jennifer v1.7.1
	github.com/dlclark/regexp2/v2 v2.12.0
	github.com/go-crypt/x v0.4.16
	github.com/miekg/dns v1.1.73
	github.com/rogpeppe/go-internal v1.16.0
	github.com/spf13/cobra v1.10.2
	github.com/spf13/pflag v1.0.9
	github.com/yuin/gopher-lua v1.1.2
	golang.org/x/crypto v0.54.0
	golang.org/x/net v0.57.0
	golang.org/x/sys v0.47.0
	golang.org/x/tools v0.48.0
)

require github.com/inconshreveable/mousetrap v1.1.0 // indirect
