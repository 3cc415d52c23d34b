// Package emptygif is ngx_http_empty_gif_module: a picture of one transparent pixel.
package emptygif

import (
	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
)

// Module is ngx_http_empty_gif_module.
var Module = &core.Module{
	Name: "empty_gif",
	Directives: func() []core.Directive {
		return []core.Directive{{Name: "empty_gif", In: core.InLocation, Args: core.Take0, Set: set}}
	},
}

func set(c *core.Compiler, _ *conf.Directive) error {
	c.Loc.Handler = serve
	return nil
}

// picture is a GIF of one pixel in two colours, of which the first is transparent.
var picture = []byte("GIF89a" + // signature
	"\x01\x00\x01\x00\x80\x01\x00" + // size, a table of two colours, which of them is the ground
	"\x00\x00\x00\xff\xff\xff" + // the colours
	"!\xf9\x04\x01\x00\x00\x01\x00" + // an extension that makes the second transparent
	",\x00\x00\x00\x00\x01\x00\x01\x00\x00" + // place and size of the image
	"\x02\x02L\x01\x00" + // its packed pixel
	";")

// changed is when the picture was made, in Unix seconds, so that clients may keep it.
const changed = 23349600

// serve answers with the picture (ngx_http_empty_gif_handler).
func serve(r *core.Request) int {
	if r.Method != "GET" && r.Method != "HEAD" {
		return 405
	}
	r.Out.LastModified = changed
	r.Out.ContentType = "image/gif"
	return r.SendText(200, picture)
}
