package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/moonphase/moonphase/cmd/moonphase/internal/program"
	"github.com/moonphase/moonphase/phases/conf"
)

// confInput is what every command takes that reads a configuration.
type confInput struct {
	prefix  string
	modules []string
	ignore  []string
	paths   conf.PathMap
}

// flags adds its flags to a command.
func (in *confInput) flags(f *pflag.FlagSet) {
	f.StringVarP(&in.prefix, "prefix", "p", "", prefixHelp)
	f.StringSliceVar(&in.modules, "module", nil, "add modules by name or glob, for names computed at run time")
	f.StringSliceVar(&in.ignore, "ignore", nil, "leave out this outermost block (stream); can be repeated")
	f.Var(&in.paths, "map", "where a folder is here that the configuration names by its path on another machine; can be repeated")
}

// load collects the chunks of a config or of Lua files.
func (in *confInput) load(confPath string, files []string) (*program.Program, error) {
	opt := program.Options{Prefix: in.prefix, Modules: in.modules, Ignore: in.ignore, Map: in.paths}
	if confPath == "" {
		abs, err := filepath.Abs(in.prefix)
		if err != nil {
			return nil, err
		}
		opt.Prefix = abs
		return program.FromFiles(files, opt)
	}
	for _, word := range in.ignore {
		if isCode.MatchString(word) {
			return nil, fmt.Errorf("--ignore %s: only vet leaves findings out; here it names an outermost block", word)
		}
	}
	var err error
	if opt.Prefix, confPath, err = serverPaths(in.prefix, confPath); err != nil {
		return nil, err
	}
	prog, err := program.FromConf(confPath, opt)
	if err != nil {
		return nil, refuse(err)
	}
	return prog, nil
}

// prefixHelp says what the flag -p does.
const prefixHelp = "server prefix (default: the config's folder, or the one around it when that is called conf)"

// serverPaths gives the prefix, absolute and with a slash at its end as nginx
// has it, and the path of the config, which is relative to the prefix when
// there is one and to the working folder otherwise. nginx keeps its config in
// PREFIX/conf.
func serverPaths(prefix, confPath string) (string, string, error) {
	if prefix != "" && !filepath.IsAbs(confPath) {
		confPath = filepath.Join(prefix, confPath)
	}
	confPath, err := filepath.Abs(confPath)
	if err != nil {
		return "", "", err
	}
	if prefix == "" {
		if prefix = filepath.Dir(confPath); filepath.Base(prefix) == "conf" {
			prefix = filepath.Dir(prefix)
		}
	}
	prefix, err = filepath.Abs(prefix)
	return prefix + "/", confPath, err
}
