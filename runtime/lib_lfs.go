package runtime

import (
	"io/fs"
	"os"
	"time"
)

// lfsLib is LuaFileSystem 1.8 without its file locks.
var lfsLib = []libFunc{
	{"attributes", lfsAttributes},
	{"chdir", lfsChdir},
	{"currentdir", lfsCurrentdir},
	{"dir", lfsDir},
	{"link", lfsLink},
	{"lock", lfsUnsupported("lock")},
	{"lock_dir", lfsUnsupported("lock_dir")},
	{"mkdir", lfsMkdir},
	{"rmdir", lfsRmdir},
	{"setmode", lfsSetmode},
	{"symlinkattributes", lfsSymlinkAttributes},
	{"touch", lfsTouch},
	{"unlock", lfsUnsupported("unlock")},
}

// openLFS makes the module lfs known.
func openLFS(st *State) {
	st.AddModule("lfs", func(*Thread) Value {
		t := newLib(lfsLib)
		t.SetStr("_VERSION", String("LuaFileSystem 1.8.0"))
		return TableValue(t)
	})
}

func lfsUnsupported(name string) GoFunc {
	return func(th *Thread, _ []Value) (Value, int) {
		th.Errorf("lfs.%s: file locks are not supported", name)
		return Nil, 0
	}
}

// fileAttribute is a field of what lfs.attributes gives.
type fileAttribute struct {
	name string
	get  func(fi fs.FileInfo, s *fileStat) Value
}

// fileStat is what fs.FileInfo does not tell in a portable way.
type fileStat struct {
	dev, ino, nlink, uid, gid, rdev uint64
	access, change                  time.Time
	blocks, blockSize               int64
}

var fileAttributes = []fileAttribute{
	{"mode", func(fi fs.FileInfo, _ *fileStat) Value { return String(fileKind(fi.Mode())) }},
	{"dev", func(_ fs.FileInfo, s *fileStat) Value { return Number(float64(s.dev)) }},
	{"ino", func(_ fs.FileInfo, s *fileStat) Value { return Number(float64(s.ino)) }},
	{"nlink", func(_ fs.FileInfo, s *fileStat) Value { return Number(float64(s.nlink)) }},
	{"uid", func(_ fs.FileInfo, s *fileStat) Value { return Number(float64(s.uid)) }},
	{"gid", func(_ fs.FileInfo, s *fileStat) Value { return Number(float64(s.gid)) }},
	{"rdev", func(_ fs.FileInfo, s *fileStat) Value { return Number(float64(s.rdev)) }},
	{"access", func(_ fs.FileInfo, s *fileStat) Value { return Int(int(s.access.Unix())) }},
	{"modification", func(fi fs.FileInfo, _ *fileStat) Value { return Int(int(fi.ModTime().Unix())) }},
	{"change", func(_ fs.FileInfo, s *fileStat) Value { return Int(int(s.change.Unix())) }},
	{"size", func(fi fs.FileInfo, _ *fileStat) Value { return Number(float64(fi.Size())) }},
	{"permissions", func(fi fs.FileInfo, _ *fileStat) Value { return String(fi.Mode().Perm().String()[1:]) }},
	{"blocks", func(_ fs.FileInfo, s *fileStat) Value { return Number(float64(s.blocks)) }},
	{"blksize", func(_ fs.FileInfo, s *fileStat) Value { return Number(float64(s.blockSize)) }},
}

// fileKind returns lfs's word for the type of a file.
func fileKind(m fs.FileMode) string {
	switch {
	case m.IsRegular():
		return "file"
	case m.IsDir():
		return "directory"
	case m&fs.ModeSymlink != 0:
		return "link"
	case m&fs.ModeSocket != 0:
		return "socket"
	case m&fs.ModeNamedPipe != 0:
		return "named pipe"
	case m&fs.ModeCharDevice != 0:
		return "char device"
	case m&fs.ModeDevice != 0:
		return "block device"
	}
	return "other"
}

func lfsAttributes(th *Thread, args []Value) (Value, int) {
	path := th.CheckString(args, 0)
	fi, err := os.Stat(path)
	return th.fileAttributes(args, path, fi, err)
}

func lfsSymlinkAttributes(th *Thread, args []Value) (Value, int) {
	path := th.CheckString(args, 0)
	fi, err := os.Lstat(path)
	if name, ok := toString(ArgAt(args, 1)); err == nil && ok && name == "target" {
		return th.linkTarget(path)
	}
	v, n := th.fileAttributes(args, path, fi, err)
	if v.IsTable() && fi.Mode()&fs.ModeSymlink != 0 {
		target, _ := th.linkTarget(path)
		v.Table().SetStr("target", target)
	}
	return v, n
}

func (th *Thread) linkTarget(path string) (Value, int) {
	target, err := os.Readlink(path)
	if err != nil {
		return Nil, 1
	}
	return String(target), 1
}

// fileAttributes returns the attribute that argument 1 names, or all in a table, the
// one in argument 1 when there is one.
func (th *Thread) fileAttributes(args []Value, path string, fi fs.FileInfo, err error) (Value, int) {
	if err != nil {
		return th.fileResult(err, "cannot obtain information from file '"+path+"'")
	}
	stat := statOf(fi)
	if name, ok := toString(ArgAt(args, 1)); ok {
		for _, a := range fileAttributes {
			if a.name == name {
				return a.get(fi, &stat), 1
			}
		}
		th.Errorf("invalid attribute name '%s'", name)
	}
	t := NewTable(0, len(fileAttributes))
	if v := ArgAt(args, 1); v.IsTable() {
		t = v.Table()
	}
	for _, a := range fileAttributes {
		t.SetStr(a.name, a.get(fi, &stat))
	}
	return TableValue(t), 1
}

func lfsChdir(th *Thread, args []Value) (Value, int) {
	path := th.CheckString(args, 0)
	if err := os.Chdir(path); err != nil {
		text, _ := errnoText(err)
		return th.Return2(Nil, String("Unable to change working directory to '"+path+"'\n"+text+"\n"))
	}
	return True, 1
}

func lfsCurrentdir(th *Thread, _ []Value) (Value, int) {
	dir, err := os.Getwd()
	if err != nil {
		return th.fileResult(err, "")
	}
	return String(dir), 1
}

func lfsMkdir(th *Thread, args []Value) (Value, int) {
	return th.fileResult(os.Mkdir(th.CheckString(args, 0), 0o775), "")
}

func lfsRmdir(th *Thread, args []Value) (Value, int) {
	path := th.CheckString(args, 0)
	if fi, err := os.Lstat(path); err == nil && !fi.IsDir() {
		return th.fileResult(errNotDir, "")
	}
	return th.fileResult(os.Remove(path), "")
}

func lfsLink(th *Thread, args []Value) (Value, int) {
	from, to := th.CheckString(args, 0), th.CheckString(args, 1)
	link := os.Link
	if ArgAt(args, 2).Truthy() {
		link = os.Symlink
	}
	return th.fileResult(link(from, to), "")
}

// lfsSetmode tells that files are binary, as everywhere but on Windows.
func lfsSetmode(th *Thread, args []Value) (Value, int) {
	th.fileArg(args)
	return th.Return2(True, String("binary"))
}

func lfsTouch(th *Thread, args []Value) (Value, int) {
	path := th.CheckString(args, 0)
	access := time.Now()
	if !isAbsent(args, 1) {
		access = time.Unix(int64(th.CheckNumber(args, 1)), 0)
	}
	modification := access
	if !isAbsent(args, 2) {
		modification = time.Unix(int64(th.CheckNumber(args, 2)), 0)
	}
	return th.fileResult(os.Chtimes(path, access, modification), "")
}

// dirReader is a directory being listed.
type dirReader struct {
	names  []string
	closed bool
}

// lfsDir returns an iterator over a directory and its object. The names are read at
// once, so nothing stays open.
func lfsDir(th *Thread, args []Value) (Value, int) {
	path := th.CheckString(args, 0)
	entries, err := os.ReadDir(path)
	if err != nil {
		text, _ := errnoText(err)
		th.Errorf("cannot open %s: %s", path, text)
	}
	d := &dirReader{names: []string{".", ".."}}
	for _, e := range entries {
		d.names = append(d.names, e.Name())
	}
	methods := newLib([]libFunc{{"next", dirNext}, {"close", dirClose}})
	methods.SetStr("__index", TableValue(methods))
	return th.Return2(methods.GetStr("next"), NewUserdata(d, methods))
}

func (th *Thread) dirArg(args []Value) *dirReader {
	if len(args) > 0 && args[0].IsUserdata() {
		if d, ok := args[0].Userdata().Data.(*dirReader); ok {
			return d
		}
	}
	th.ArgTypeError(args, 0, "directory metatable")
	return nil
}

func dirNext(th *Thread, args []Value) (Value, int) {
	d := th.dirArg(args)
	if d.closed {
		th.ArgError(0, "closed directory")
	}
	if len(d.names) == 0 {
		d.closed = true
		return Nil, 1
	}
	name := d.names[0]
	d.names = d.names[1:]
	return String(name), 1
}

func dirClose(th *Thread, args []Value) (Value, int) {
	d := th.dirArg(args)
	d.closed, d.names = true, nil
	return Nil, 0
}
