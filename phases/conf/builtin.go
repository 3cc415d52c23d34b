package conf

import (
	_ "embed"
	"path"
)

// mimeTypes is the list of types that nginx is installed with. Every configuration
// includes it, and few people have it where there is no nginx.
//
//go:embed mime.types
var mimeTypes []byte

// builtinFile is the text that takes the place of an included file that does not
// exist, nil when there is none.
func builtinFile(name string) []byte {
	if path.Base(name) == "mime.types" {
		return mimeTypes
	}
	return nil
}
