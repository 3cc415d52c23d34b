package core

import "github.com/moonphase/moonphase/phases/internal/errlog"

// ScriptOp is one instruction of a level's rewrite script. The directives set,
// if, rewrite, return, break and set_by_lua* of one server or location form
// one linear script (ngx_http_rewrite_module).
type ScriptOp interface {
	// Exec runs the instruction; it returns how many further instructions to
	// skip, or StopScript. An instruction that ends the phase leaves its answer
	// in r.ScriptStatus.
	Exec(r *Request) int
}

// StopScript ends the script.
const StopScript = -1

// RunScript runs the instructions of the current level and gives the
// handler's answer: Declined, or what an instruction ended the phase with.
func (r *Request) RunScript(ops []ScriptOp) int {
	r.ScriptStatus = Declined
	r.ScriptLog = r.Loc.RewriteLog.V || r.LogEnabled(errlog.Debug)
	for i := 0; i < len(ops); {
		skip := ops[i].Exec(r)
		if skip == StopScript {
			break
		}
		i += 1 + skip
	}
	return r.ScriptStatus
}

// Emit appends an instruction to the script of the current level.
func (c *Compiler) Emit(op ScriptOp) { *c.Script = append(*c.Script, op) }
