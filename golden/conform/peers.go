package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/miekg/dns"
)

// surroundings are the servers that the suite's blocks count on. What already runs
// is used as it is; what is started here is ended by stop.
type surroundings struct{ stops []func() }

func (s *surroundings) stop() {
	for _, f := range s.stops {
		f()
	}
}

// startSurroundings starts what is missing and says what cannot be had.
func startSurroundings() (s *surroundings, missing []string) {
	s = &surroundings{}
	for _, d := range []struct {
		port string
		cmd  []string
	}{
		{"11211", []string{"memcached", "-u", "nobody", "-l", "127.0.0.1", "-p", "11211", "-U", "11211"}},
		{"6379", []string{"redis-server", "--bind", "127.0.0.1", "--port", "6379", "--save", "", "--appendonly", "no"}},
	} {
		if err := s.daemon(d.port, d.cmd); err != nil {
			missing = append(missing, fmt.Sprintf("%s: %v", d.cmd[0], err))
		}
	}
	if err := s.resolver(); err != nil {
		missing = append(missing, fmt.Sprintf("DNS responder: %v", err))
	}
	if err := s.webServer(); err != nil {
		missing = append(missing, fmt.Sprintf("web server: %v", err))
	}
	if err := s.blackHole(); err != nil {
		missing = append(missing, fmt.Sprintf("black hole: %v", err))
	}
	return s, missing
}

func (s *surroundings) daemon(port string, cmd []string) error {
	listening := func() bool {
		c, err := net.DialTimeout("tcp", "127.0.0.1:"+port, time.Second)
		if err == nil {
			c.Close()
		}
		return err == nil
	}
	if listening() {
		return nil
	}
	c := exec.Command(cmd[0], cmd[1:]...)
	if err := c.Start(); err != nil {
		return err
	}
	s.stops = append(s.stops, func() { c.Process.Signal(syscall.SIGTERM); c.Wait() })
	for range 100 {
		if listening() {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return errors.New("does not listen")
}

// webAddress is where the suite's names point: a web server whose answers begin like
// any web server's.
const webAddress = "127.0.0.80"

func (s *surroundings) webServer() error {
	l, err := net.Listen("tcp", webAddress+":80")
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil
	}
	if err != nil {
		return err
	}
	s.stops = append(s.stops, func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(10 * time.Second))
				for in := bufio.NewReader(c); ; {
					line, err := in.ReadString('\n')
					if err != nil {
						return
					}
					if strings.TrimSpace(line) == "" {
						break
					}
				}
				fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nDate: %s\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n",
					time.Now().UTC().Format(time.RFC1123))
			}()
		}
	}()
	return nil
}

// resolver answers for the suite's names on 127.0.0.53, as far as nobody does yet.
func (s *surroundings) resolver() error {
	known := map[string]bool{"agentzh.org.": true, "openresty.org.": true, "iscribblet.org.": true}
	answer := dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg)
		m.SetReply(q)
		for _, question := range q.Question {
			name := strings.ToLower(question.Name)
			switch {
			case !known[strings.TrimPrefix(name, "www.")]:
				m.Rcode = dns.RcodeNameError
			case question.Qtype == dns.TypeA:
				m.Answer = append(m.Answer, &dns.A{
					Hdr: dns.RR_Header{Name: question.Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60},
					A:   net.ParseIP(webAddress),
				})
			}
		}
		w.WriteMsg(m)
	})
	pc, err := net.ListenPacket("udp", "127.0.0.53:53")
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil
	}
	if err != nil {
		return err
	}
	srv := &dns.Server{PacketConn: pc, Handler: answer}
	go srv.ActivateAndServe()
	s.stops = append(s.stops, func() { srv.Shutdown() })
	return nil
}

// blackHole makes 127.0.0.2:12345 an address whose connections are neither accepted
// nor refused: a listener whose queue is full. Datagrams are swallowed, too.
func (s *surroundings) blackHole() error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	addr := &syscall.SockaddrInet4{Port: 12345, Addr: [4]byte{127, 0, 0, 2}}
	syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	if err := errors.Join(syscall.Bind(fd, addr), syscall.Listen(fd, 0)); err != nil {
		syscall.Close(fd)
		if errors.Is(err, syscall.EADDRINUSE) {
			return nil
		}
		return err
	}
	silent, err := net.ListenPacket("udp", "127.0.0.2:12345")
	if err != nil {
		return err
	}
	s.stops = append(s.stops, func() { silent.Close() })
	var conns []net.Conn
	for range 4 {
		if c, err := net.DialTimeout("tcp", "127.0.0.2:12345", 300*time.Millisecond); err == nil {
			conns = append(conns, c)
		}
	}
	s.stops = append(s.stops, func() {
		for _, c := range conns {
			c.Close()
		}
		syscall.Close(fd)
	})
	return nil
}

// startPeers starts the scripted peers of a block. stop ends them and returns what
// they found wrong.
func (b *block) startPeers() (stop func() error, err error) {
	var (
		mu    sync.Mutex
		wrong error
		ends  []io.Closer
	)
	report := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if wrong == nil {
			wrong = err
		}
	}
	stop = func() error {
		for _, c := range ends {
			c.Close()
		}
		mu.Lock()
		defer mu.Unlock()
		return wrong
	}
	if b.has("tcp_listen") {
		l, err := net.Listen("tcp", "127.0.0.1:"+strings.TrimSpace(b.text("tcp_listen")))
		if err != nil {
			return stop, err
		}
		ends = append(ends, l)
		go b.serveTCP(l, report)
	}
	if b.has("udp_listen") {
		pc, err := net.ListenPacket("udp", "127.0.0.1:"+strings.TrimSpace(b.text("udp_listen")))
		if err != nil {
			return stop, err
		}
		ends = append(ends, pc)
		go b.serveUDP(pc, report)
	}
	return stop, nil
}

func (b *block) serveTCP(l net.Listener, report func(error)) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		conn := c.(*net.TCPConn)
		switch strings.TrimSpace(b.text("tcp_shutdown")) {
		case "0":
			conn.CloseRead()
		case "1":
			conn.CloseWrite()
		}
		if n, err := strconv.Atoi(strings.TrimSpace(b.text("tcp_query_len"))); err == nil {
			query := make([]byte, n)
			conn.SetReadDeadline(time.Now().Add(3 * time.Second))
			got, _ := io.ReadFull(conn, query)
			if want := b.text("tcp_query"); string(query[:got]) != want {
				report(fmt.Errorf("tcp_query: got %q, want %q", query[:got], want))
			}
		}
		io.WriteString(conn, b.text("tcp_reply"))
		if b.has("tcp_no_close") {
			time.AfterFunc(5*time.Second, func() { conn.Close() })
			continue
		}
		conn.Close()
	}
}

func (b *block) serveUDP(pc net.PacketConn, report func(error)) {
	buf := make([]byte, 65536)
	for {
		n, from, err := pc.ReadFrom(buf)
		if err != nil {
			return
		}
		if want, ok := b.nth("udp_query", 0); ok {
			if !want.regexp && want.text != string(buf[:n]) {
				report(fmt.Errorf("udp_query: got %q, want %q", buf[:n], want.text))
			} else if ok, err := want.matches(string(buf[:n]), ""); !ok || err != nil {
				report(fmt.Errorf("udp_query: got %q, want %q (%v)", buf[:n], want.text, err))
			}
		}
		pc.WriteTo([]byte(b.text("udp_reply")), from)
	}
}
