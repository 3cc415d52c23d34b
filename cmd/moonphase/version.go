package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersionCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version and commit of moonphase, and the Go and the system it was built for",
		Args:  cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) {
			info, _ := debug.ReadBuildInfo()
			fmt.Fprintln(cmd.OutOrStdout(), describeBuild(info, buildVersion))
		},
	}
}

// buildVersion is set by the Makefile to what git describe says.
var buildVersion string

// version is what this command was built as.
func version() string {
	info, _ := debug.ReadBuildInfo()
	return buildOf(info, buildVersion).version
}

// A build is what a binary knows of how it was built.
type build struct {
	version  string // as it was stamped, else the module's, "(devel)" in a tree without tags
	commit   string // "" where Go did not look
	modified bool   // the tree was not the commit
	platform string // GOOS/GOARCH
}

// buildOf reads the build information of a binary, nil for none.
func buildOf(info *debug.BuildInfo, stamped string) build {
	if info == nil {
		info = &debug.BuildInfo{}
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	b := build{
		version:  info.Main.Version,
		commit:   settings["vcs.revision"],
		modified: settings["vcs.modified"] == "true",
		platform: settings["GOOS"] + "/" + settings["GOARCH"],
	}
	switch {
	case stamped != "":
		b.version = stamped
	case b.version == "(devel)" && b.commit != "":
		b.version = b.commit
	case b.version == "":
		b.version = "unknown"
	}
	return b
}

// describeBuild is the line that the command prints.
func describeBuild(info *debug.BuildInfo, stamped string) string {
	b := buildOf(info, stamped)
	line := "moonphase " + b.version
	if b.commit != "" && b.commit != b.version {
		line += " commit " + b.commit
	}
	if b.modified {
		line += " (modified)"
	}
	if info != nil {
		line += " " + info.GoVersion + " " + b.platform
	}
	return line
}
