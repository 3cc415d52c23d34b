# `make help` lists what can be typed.
GO      ?= go
CONFORM ?= ../shared/conformance
LINTER  := v2.15.0
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)

.DEFAULT_GOAL := bin/moonphase
.PHONY: bin/moonphase demo test race vet lint check golden-update oracle fuzz bench bench-http conform conform-update help

bin/moonphase: ## the command (also: plain `make`)
	$(GO) build -ldflags "-X main.buildVersion=$(VERSION)" -o $@ ./cmd/moonphase

demo: bin/moonphase ## build and serve examples/gateway, send it requests, show what each phase did
	$(GO) run ./examples/gateway/demo

test: bin/moonphase ## all tests
	$(GO) test $(FLAGS) ./...

# TestConf starts a server for each of some thousand texts, which reads its
# configuration on one goroutine and ends: under the detector that takes ten minutes
# and can find nothing. `make test` runs it.
race: ## all tests under the race detector
	$(GO) test -race -skip '^TestConf$$' $(FLAGS) ./...

vet: ## gofmt and go vet, for Linux and what else it must compile for
	@test -z "$$(gofmt -l cmd examples golden phases runtime transpile)" || { gofmt -l cmd examples golden phases runtime transpile; exit 1; }
	$(GO) vet ./...
	GOOS=darwin $(GO) vet ./...
	GOOS=freebsd $(GO) vet ./...

lint: ## golangci-lint as .golangci.yml says
	$(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINTER) run ./...

check: vet lint test race conform ## most of what CI runs; conform needs CONFORM

golden-update: ## rewrite what we print (want.go, want.ir, want.diag) in golden/
	$(GO) test ./golden -update

oracle: ## rewrite what Lua and nginx print (want.out, want.response) in golden/; needs luajit and nginx
	$(GO) test ./golden ./golden/ngx -oracle

fuzz: ## each fuzz target for 30 seconds
	golden/fuzz.sh 30s

bench: bin/moonphase ## user time beside luajit, luajit -joff and lua5.1
	$(GO) run ./golden/bench

bench-http: bin/moonphase ## requests per CPU-second beside nginx with ngx_lua; needs both and wrk
	$(GO) run ./golden/bench/http

conform: bin/moonphase ## ngx_lua's test blocks in CONFORM (not in this repository), against golden/conform-pass.txt
	$(GO) run ./golden/conform -dir $(CONFORM)

conform-update: bin/moonphase ## the same, adding newly passing blocks to the list
	$(GO) run ./golden/conform -dir $(CONFORM) -update

help:
	@awk -F ':.*## ' '/^[a-z\/-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
