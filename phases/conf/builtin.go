package conf

import (
	"embed"
	"path"
)

// builtinFiles are those that nginx is installed with beside its configuration. Many
// configurations include them, and few people have them where there is no nginx.
//
//go:embed builtin
var builtinFiles embed.FS

// builtinFile is the text that takes the place of an included file that does not
// exist, nil when there is none.
func builtinFile(name string) []byte {
	text, err := builtinFiles.ReadFile("builtin/" + path.Base(name))
	if err != nil {
		return nil
	}
	return text
}
