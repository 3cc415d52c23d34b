package phases

import rt "github.com/moonphase/moonphase/runtime"

// OpenNgx gives the Lua state of a worker the ngx table.
func OpenNgx(*rt.State, *Worker) {}
