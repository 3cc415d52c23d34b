package ssl

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"os"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
)

// buildSessions sets up the tickets by which clients resume their sessions: their
// keys, one for all copies of the configuration, and how long they live.
func (t *Conf) buildSessions(c *core.Compiler, config *tls.Config) error {
	keys := make([][32]byte, 0, max(1, len(t.ticketKeys.V)))
	for _, path := range t.ticketKeys.V {
		path = c.FullConfPath(path)
		secret, err := os.ReadFile(path)
		if err != nil {
			return &conf.Error{Msg: fmt.Sprintf("open() \"%s\" failed (%v)", path, conf.Errno(err)), Outside: true}
		}
		if len(secret) != 48 && len(secret) != 80 {
			return &conf.Error{Msg: fmt.Sprintf("\"%s\" must be 48 or 80 bytes", path)}
		}
		keys = append(keys, sha256.Sum256(secret))
	}
	if len(keys) == 0 {
		keys = keys[:1]
		if _, err := rand.Read(keys[0][:]); err != nil {
			return err
		}
	}
	config.SetSessionTicketKeys(keys)
	lifetime := t.sessionTimeout.V
	config.WrapSession = func(cs tls.ConnectionState, s *tls.SessionState) ([]byte, error) {
		s.Extra = append(s.Extra[:0:0], binary.BigEndian.AppendUint64(nil, uint64(time.Now().Unix())))
		return config.EncryptTicket(cs, s)
	}
	config.UnwrapSession = func(identity []byte, cs tls.ConnectionState) (*tls.SessionState, error) {
		s, err := config.DecryptTicket(identity, cs)
		if s == nil || err != nil || len(s.Extra) != 1 || len(s.Extra[0]) != 8 {
			return nil, err
		}
		made := time.Unix(int64(binary.BigEndian.Uint64(s.Extra[0])), 0)
		if time.Since(made) > lifetime {
			return nil, nil
		}
		return s, nil
	}
	return nil
}
