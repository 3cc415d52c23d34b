package main

import (
	"runtime/debug"
	"testing"
)

func TestDescribeBuild(t *testing.T) {
	info := func(version, revision, modified string) *debug.BuildInfo {
		b := &debug.BuildInfo{
			GoVersion: "go1.26.8",
			Main:      debug.Module{Version: version},
			Settings:  []debug.BuildSetting{{Key: "GOOS", Value: "linux"}, {Key: "GOARCH", Value: "amd64"}},
		}
		if revision != "" {
			b.Settings = append(b.Settings, debug.BuildSetting{Key: "vcs.revision", Value: revision},
				debug.BuildSetting{Key: "vcs.modified", Value: modified})
		}
		return b
	}
	for _, tt := range []struct {
		info    *debug.BuildInfo
		stamped string
		want    string
	}{
		{info("v1.2.3", "", ""), "", "moonphase v1.2.3 go1.26.8 linux/amd64"}, // go install ...@v1.2.3
		{info("(devel)", "", ""), "", "moonphase (devel) go1.26.8 linux/amd64"},
		{info("(devel)", "0123abcd", "false"), "", "moonphase 0123abcd go1.26.8 linux/amd64"},
		{info("(devel)", "0123abcd", "true"), "", "moonphase 0123abcd (modified) go1.26.8 linux/amd64"},
		{info("v1.2.4-0.20261129-0123abcd+dirty", "0123abcd", "true"), "",
			"moonphase v1.2.4-0.20261129-0123abcd+dirty commit 0123abcd (modified) go1.26.8 linux/amd64"},
		{info("(devel)", "0123abcd", "false"), "v1.2.3-4-g0123abc", "moonphase v1.2.3-4-g0123abc commit 0123abcd go1.26.8 linux/amd64"}, // make
		{nil, "", "moonphase unknown"},
		{nil, "v1.2.3", "moonphase v1.2.3"},
	} {
		if got := describeBuild(tt.info, tt.stamped); got != tt.want {
			t.Errorf("%v stamped %q:\ngot  %s\nwant %s", tt.info, tt.stamped, got, tt.want)
		}
	}
}
