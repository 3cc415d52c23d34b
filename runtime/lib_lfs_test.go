package runtime

import (
	"runtime"
	"testing"
)

// TestLFS has what LuaFileSystem 1.8 gives.
func TestLFS(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("C library texts")
	}
	t.Chdir(t.TempDir())
	r := newCaseRunner(t)
	r.th.State.Globals.SetStr("lfs", r.th.State.natives["lfs"](r.th))
	for _, tt := range []struct{ call, want string }{
		{`lfs.attributes("nope")`, `nil, "cannot obtain information from file 'nope': No such file or directory", 2`},
		{`lfs.attributes(".", "mode")`, `"directory"`},
		{`lfs.attributes(".", "bad")`, `error "invalid attribute name 'bad'"`},
		{`lfs.attributes()`, `error "bad argument #1 to '?' (string expected, got no value)"`},
		{`lfs.mkdir("d")`, "true"},
		{`lfs.mkdir("d")`, `nil, "File exists", 17`},
		{`lfs.rmdir("d")`, "true"},
		{`lfs.rmdir("d")`, `nil, "No such file or directory", 2`},
		{`lfs.chdir("/nope")`, `nil, "Unable to change working directory to '/nope'\010No such file or directory\010"`},
		{`lfs.dir("/nope")`, `error "cannot open /nope: No such file or directory"`},
		{`lfs.touch("f")`, `nil, "No such file or directory", 2`},
		{`os.execute("umask 022; printf abc > f")`, `true, "exit", 0`},
		{`lfs.rmdir("f")`, `nil, "Not a directory", 20`},
		{`lfs.touch("f", 1000, 2000)`, "true"},
		{`lfs.attributes("f", "modification")`, "2000"},
		{`lfs.attributes("f", "size")`, "3"},
		{`lfs.attributes("f", "permissions")`, `"rw-r--r--"`},
		{`lfs.link("f", "l", true)`, "true"},
		{`lfs.symlinkattributes("l", "mode")`, `"link"`},
		{`lfs.symlinkattributes("l", "target")`, `"f"`},
		{`lfs.attributes("l", "mode")`, `"file"`},
		{`lfs.attributes("/dev/null", "mode")`, `"char device"`},
		{`lfs.setmode(io.stdout, "text")`, `true, "binary"`},
		{`lfs.setmode(5)`, `error "bad argument #1 to '?' (FILE* expected, got number)"`},
		{`lfs.lock_dir(".")`, `error "lfs.lock_dir: file locks are not supported"`},
	} {
		if got := r.run(tt.call); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.call, got, tt.want)
		}
	}
	iterator := r.th.Call(r.lookup("lfs.dir"), String("."))
	var names string
	for {
		v := r.th.Call1(iterator[0], iterator[1])
		if v.IsNil() {
			break
		}
		names += v.Str() + " "
	}
	if names != ". .. f l " {
		t.Errorf("lfs.dir lists %s", names)
	}
	if _, err := r.th.PCall(iterator[0], iterator[1]); err == nil || err.Error() != "bad argument #1 to '?' (closed directory)" {
		t.Errorf("after the end: %v", err)
	}
}
