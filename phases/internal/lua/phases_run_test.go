package lua_test

import (
	"testing"
	"time"

	"github.com/moonphase/moonphase/phases/internal/lua"
	"github.com/moonphase/moonphase/phases/internal/testserver"
	rt "github.com/moonphase/moonphase/runtime"
)

// TestPhasesRun: a directive of each phase that has a request runs its code, in that
// phase. What knows nothing of a phase but its row takes the code and leaves it.
func TestPhasesRun(t *testing.T) {
	const source = " x "
	seen := make(chan string, 100)
	var chunks []*rt.Chunk
	server, location := "", ""
	phases := lua.RequestPhases()
	for tag, name := range phases {
		chunks = append(chunks, testserver.Chunk(tag, source, func(th *rt.Thread) {
			if got := lua.PhaseOf(th); got != name {
				t.Errorf("%s runs in %s", tag, got)
			}
			if name == "content" {
				lua.Print(th, "x")
			}
			seen <- name
		}))
		switch directive := tag + "_block {" + source + "} "; name {
		case "server_rewrite":
			server += directive
		case "set":
			location += tag + "_block $x {" + source + "} "
		default:
			location += directive
		}
	}
	s := testserver.Start(t, "events {} http { access_log off; server { listen ADDR; "+server+"location / { "+location+"} } }", chunks...)
	s.Get("/")
	ran := map[string]bool{}
	for !ran["log"] {
		select {
		case name := <-seen:
			ran[name] = true
		case <-time.After(5 * time.Second):
			t.Fatal("the log phase did not run")
		}
	}
	for tag, name := range phases {
		if !ran[name] {
			t.Errorf("%s did not run", tag)
		}
	}
	if len(ran) < 9 {
		t.Errorf("only %v ran", ran)
	}
}
