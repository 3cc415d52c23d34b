package userid

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// uid is an id: service, time, process and number. The last one of an id that is there is
// not 0. Numbers lie in memory as nginx's, which writes them as they are into cookies.
type uid [4]uint32

// encode is the id as it stands in a cookie.
func (u *uid) encode() string {
	var b [16]byte
	for i, n := range u {
		binary.LittleEndian.PutUint32(b[4*i:], n)
	}
	return base64.StdEncoding.EncodeToString(b[:])
}

// id is what is known of a client.
type id struct {
	asked   bool // what it brought was looked at
	got     uid  // by its cookie
	brought string
	set     uid  // what it is to get, or what it brought to get a mark
	reset   bool // it gets another one (uid_reset)
}

// idOf looks at the client's cookie, once (ngx_http_userid_get_uid).
func idOf(r *core.Request, c *config) *id {
	i := note.Of(r)
	if i.asked {
		return i
	}
	i.asked = true
	line := ""
	for n := range r.In {
		if !ngxtext.EqualFold(r.In[n].Name, "Cookie") {
			continue
		}
		if value, found := core.FindCookie(r.In[n].Value, c.name.V); found {
			i.brought, line = value, r.In[n].Value
			break
		}
	}
	switch {
	case line == "":
		return i
	case len(i.brought) < 22:
		r.Logf(errlog.Err, "client sent too short userid cookie \"%s\"", line)
		return i
	}
	// A mark may stand behind, and the end is often not what it should be.
	var b [24]byte
	n, err := base64.RawStdEncoding.Decode(b[:], []byte(i.brought[:22]))
	if err != nil || n != 16 {
		r.Logf(errlog.Err, "client sent invalid userid cookie \"%s\"", line)
		return i
	}
	for n := range i.got {
		i.got[n] = binary.LittleEndian.Uint32(b[4*n:])
	}
	return i
}

// settle decides on the id that the client gets (ngx_http_userid_create_uid).
func (i *id) settle(r *core.Request, c *config) {
	if i.set[3] != 0 {
		return
	}
	if i.got[3] != 0 {
		reset, _ := r.Indexed(main.Of(r.Cycle).reset)
		if reset == "" || reset == "0" {
			marked := len(i.brought) > 23 && i.brought[22] == c.mark.V && i.brought[23] == '='
			if c.mark.V != 0 && !marked {
				i.set = i.got
			}
			return
		}
		i.reset = true
		if reset == "log" {
			r.Logf(errlog.Notice, "userid cookie \"%s\" was reset", i.got.text(c.name.V))
		}
	}
	now := uint32(time.Now().Unix())
	if c.mode.V == v1 {
		i.set = uid{uint32(max(c.service.V, 0)), now, startValue, numbersV1.Add(0x100) - 0xff}
		return
	}
	service := uint32(c.service.V)
	if c.service.V == noService {
		service = addressNumber(r)
	}
	i.set = uid{service, now, startValue, nextV2()}
	for n := range i.set {
		i.set[n] = swap(i.set[n])
	}
}

// numbersV1 and numbersV2 count the ids of a process.
var (
	numbersV1 atomic.Uint32
	numbersV2 atomic.Uint32
)

// firstV2 is the number of the first id of version 2, which later ones are not below.
const firstV2 = 0x03030302

func nextV2() uint32 {
	for {
		old := numbersV2.Load()
		n := max(old, firstV2)
		if numbersV2.CompareAndSwap(old, n+0x100) {
			return n
		}
	}
}

// swap turns a number to the order of bytes in which version 2 keeps it.
func swap(n uint32) uint32 {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], n)
	return binary.LittleEndian.Uint32(b[:])
}

// addressNumber is the server's address as the number of its service: the last four bytes.
func addressNumber(r *core.Request) uint32 {
	ap, err := netip.ParseAddrPort(r.Main.Conn.LocalAddr().String())
	if err != nil {
		return 0
	}
	b := ap.Addr().Unmap().AsSlice()
	return binary.BigEndian.Uint32(b[len(b)-4:])
}

// text is an id as variables have it.
func (u *uid) text(name string) string {
	return fmt.Sprintf("%s=%08X%08X%08X%08X", name, u[0], u[1], u[2], u[3])
}

func variables() []core.Variable {
	return []core.Variable{
		{Name: "uid_got", Get: gotVar},
		{Name: "uid_set", Get: setVar},
		{Name: "uid_reset", Changeable: true, Get: func(*core.Request) (string, bool) { return "", true }},
	}
}

// gotVar is $uid_got: the id that the client brought.
func gotVar(r *core.Request) (string, bool) {
	c := loc.Of(r.Main.Loc)
	if c.mode.V == off {
		return "", false
	}
	i := idOf(r.Main, c)
	if i.got[3] == 0 {
		return "", false
	}
	return i.got.text(c.name.V), true
}

// setVar is $uid_set: the id that the client gets.
func setVar(r *core.Request) (string, bool) {
	c := loc.Of(r.Main.Loc)
	if c.mode.V < v1 {
		return "", false
	}
	i := idOf(r.Main, c)
	i.settle(r.Main, c)
	if i.set[3] == 0 {
		return "", false
	}
	return i.set.text(c.name.V), true
}
