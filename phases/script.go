package phases

import "github.com/moonphase/moonphase/phases/internal/errlog"

// scriptOp is one instruction of a level's rewrite script. The directives set,
// if, rewrite, return, break and set_by_lua* of one server or location form
// one linear script (ngx_http_rewrite_module).
type scriptOp interface {
	// exec runs the instruction; it returns how many further instructions to
	// skip, or stopScript. An instruction that ends the phase leaves its answer
	// in r.scriptStatus.
	exec(r *Request) int
}

// stopScript ends the script.
const stopScript = -1

// runScript runs the instructions of the current level and gives the
// handler's answer: rcDeclined, or what an instruction ended the phase with.
func (r *Request) runScript(ops []scriptOp) int {
	r.scriptStatus = rcDeclined
	r.scriptLog = r.Loc.rewriteLog.v || r.logs(errlog.Debug)
	for i := 0; i < len(ops); {
		skip := ops[i].exec(r)
		if skip == stopScript {
			break
		}
		i += 1 + skip
	}
	return r.scriptStatus
}

// emit appends an instruction to the script of the current level.
func (c *compiler) emit(op scriptOp) { *c.script = append(*c.script, op) }
