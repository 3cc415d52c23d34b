package serve

import (
	"encoding/binary"

	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/modules/http2"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// readFrame reads one frame and does what it asks for. Which mistakes end the
// stream, which the connection, and with which code, is as in nginx, which is more
// lenient than the RFC in places.
func (h *http2Conn) readFrame() error {
	if err := h.readFrameHead(); err != nil {
		return err
	}
	if err := h.act(); err != nil {
		return err
	}
	h.began = true
	return h.skip()
}

// readFrameHead reads the head of a frame into h.frame.
func (h *http2Conn) readFrameHead() error {
	b, err := h.take(http2FrameHead)
	if err != nil {
		return err
	}
	h.frame = http2FrameInfo{
		length: int(b[0])<<16 | int(b[1])<<8 | int(b[2]),
		kind:   http2Type(b[3]),
		flags:  b[4],
		id:     binary.BigEndian.Uint32(b[5:]) & http2.MaxWindow,
	}
	return nil
}

// framePart gives the next n bytes of the frame.
func (h *http2Conn) framePart(n int) ([]byte, error) {
	b, err := h.take(n)
	if err == nil {
		h.frame.length -= n
	}
	return b, err
}

// skip reads what is left of the frame.
func (h *http2Conn) skip() error {
	f := &h.frame
	f.length, f.padding = f.length+f.padding, 0
	for f.length > 0 {
		b, err := h.some(f.length)
		if err != nil {
			return err
		}
		f.length -= len(b)
	}
	return nil
}

func (h *http2Conn) act() error {
	switch f := &h.frame; f.kind {
	case http2Data:
		return h.dataFrame()
	case http2Headers:
		return h.headersFrame()
	case http2Priority:
		return h.priorityFrame()
	case http2Reset:
		return h.resetFrame()
	case http2Settings:
		return h.settingsFrame()
	case http2PushPromise:
		return &http2Error{http2ProtocolError, "client sent PUSH_PROMISE frame"}
	case http2Ping:
		return h.pingFrame()
	case http2GoAway:
		if f.length < 8 {
			return http2Errorf(http2SizeError, "client sent GOAWAY frame with incorrect length %d", f.length)
		}
		if f.id != 0 {
			return &http2Error{http2ProtocolError, "client sent GOAWAY frame with incorrect identifier"}
		}
		return nil
	case http2WindowUpdate:
		return h.windowFrame()
	case http2Continuation:
		return &http2Error{http2ProtocolError, "client sent unexpected CONTINUATION frame"}
	default:
		h.log(errlog.Info, "client sent frame with unknown type "+ngxtext.Itoa(int64(f.kind)))
		return nil
	}
}

// dataFrame gives the client's bytes to the stream's request.
func (h *http2Conn) dataFrame() error {
	f := &h.frame
	size := f.length
	if f.flags&http2Padded != 0 {
		if size == 0 {
			return &http2Error{http2SizeError, "client sent padded DATA frame with incorrect length: 0"}
		}
		b, err := h.framePart(1)
		if err != nil {
			return err
		}
		if f.padding = int(b[0]); f.padding >= size {
			return http2Errorf(http2ProtocolError, "client sent padded DATA frame with incorrect length: %d, padding: %d", size, f.padding)
		}
		f.length -= f.padding
	}
	if f.id == 0 {
		return &http2Error{http2ProtocolError, "client sent DATA frame with incorrect identifier"}
	}
	if int64(size) > h.recvWindow {
		return http2Errorf(http2FlowControlError, "client violated connection flow control: "+
			"received DATA frame length %d, available window %d", size, h.recvWindow)
	}
	h.recvWindow -= int64(size)
	o := &h.c.writer
	o.mu.Lock()
	if h.recvWindow < http2.MaxWindow/4 {
		h.sendWindowUpdate(0, http2.MaxWindow-h.recvWindow)
		h.recvWindow = http2.MaxWindow
	}
	s := h.streams[f.id]
	if s != nil && !s.accept(size) {
		s = nil
	}
	o.mu.Unlock()
	for s != nil && f.length > 0 {
		b, err := h.some(f.length)
		if err != nil {
			return err
		}
		f.length -= len(b)
		if s.deliver(b) {
			break // the rest is not wanted
		}
	}
	if s != nil && f.flags&http2EndStream != 0 && f.length == 0 {
		s.deliverEnd()
	}
	return nil
}

// priorityFrame counts: in which order responses go out is decided here, without
// weights.
func (h *http2Conn) priorityFrame() error {
	f := &h.frame
	if f.length != 5 {
		return http2Errorf(http2SizeError, "client sent PRIORITY frame with incorrect length %d", f.length)
	}
	if h.priorityLimit--; h.priorityLimit == 0 {
		return &http2Error{http2Calm, "client sent too many PRIORITY frames"}
	}
	b, err := h.framePart(5)
	if err != nil {
		return err
	}
	if f.id == 0 {
		return &http2Error{http2ProtocolError, "client sent PRIORITY frame with incorrect identifier"}
	}
	return h.dependsOn(b, "PRIORITY")
}

// dependsOn checks the stream that another depends on.
func (h *http2Conn) dependsOn(b []byte, frame string) error {
	if binary.BigEndian.Uint32(b)&http2.MaxWindow == h.frame.id {
		return http2Errorf(http2ProtocolError, "client sent %s frame for stream %d with incorrect dependency", frame, h.frame.id)
	}
	return nil
}

// resetFrame ends a stream on the client's behalf.
func (h *http2Conn) resetFrame() error {
	f := &h.frame
	if f.length != 4 {
		return http2Errorf(http2SizeError, "client sent RST_STREAM frame with incorrect length %d", f.length)
	}
	b, err := h.framePart(4)
	if err != nil {
		return err
	}
	if f.id == 0 {
		return &http2Error{http2ProtocolError, "client sent RST_STREAM frame with incorrect identifier"}
	}
	o := &h.c.writer
	o.mu.Lock()
	defer o.mu.Unlock()
	s := h.streams[f.id]
	if s == nil {
		return nil
	}
	switch id, code := ngxtext.Itoa(int64(f.id)), http2Code(binary.BigEndian.Uint32(b)); code {
	case http2Cancel:
		s.log("client canceled stream " + id)
	case http2RefusedStream:
		s.log("client refused stream " + id)
	case http2InternalError:
		s.log("client terminated stream " + id + " due to internal error")
	default:
		s.log("client terminated stream " + id + " with status " + ngxtext.Itoa(int64(code)))
	}
	s.inClosed = true
	h.closeOut(s)
	s.abandon()
	return nil
}

// Settings of the client that matter here.
const (
	http2SettingTableSize  = 1
	http2SettingPush       = 2
	http2SettingMaxStreams = 3
	http2SettingWindow     = 4
	http2SettingMaxFrame   = 5
)

// settingsFrame takes the client's settings over.
func (h *http2Conn) settingsFrame() error {
	f := &h.frame
	if f.id != 0 {
		return &http2Error{http2ProtocolError, "client sent SETTINGS frame with incorrect identifier"}
	}
	if f.flags == http2Ack {
		if f.length != 0 {
			return &http2Error{http2SizeError, "client sent SETTINGS frame with the ACK flag and nonzero length"}
		}
		h.acked = true
		return nil
	}
	if f.length%6 != 0 {
		return http2Errorf(http2SizeError, "client sent SETTINGS frame with incorrect length %d", f.length)
	}
	o := &h.c.writer
	window := h.initWindow
	for f.length > 0 {
		b, err := h.framePart(6)
		if err != nil {
			return err
		}
		value := int64(binary.BigEndian.Uint32(b[2:]))
		switch binary.BigEndian.Uint16(b) {
		case http2SettingWindow:
			if value > http2.MaxWindow {
				return http2Errorf(http2FlowControlError, "client sent SETTINGS frame with incorrect INITIAL_WINDOW_SIZE value %d", value)
			}
			window = value
		case http2SettingMaxFrame:
			if value > http2.MaxFrame || value < http2DefaultFrame {
				return http2Errorf(http2ProtocolError, "client sent SETTINGS frame with incorrect MAX_FRAME_SIZE value %d", value)
			}
			o.mu.Lock()
			h.frameSize = int(value)
			o.mu.Unlock()
		case http2SettingPush:
			if value > 1 {
				return http2Errorf(http2ProtocolError, "client sent SETTINGS frame with incorrect ENABLE_PUSH value %d", value)
			}
		case http2SettingTableSize:
			o.mu.Lock()
			h.resize = true
			o.mu.Unlock()
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	h.appendControl(http2Settings, http2Ack, 0, nil)
	h.adjustWindows(window)
	return h.flooded()
}

// pingFrame answers.
func (h *http2Conn) pingFrame() error {
	f := &h.frame
	if f.length != 8 {
		return http2Errorf(http2SizeError, "client sent PING frame with incorrect length %d", f.length)
	}
	b, err := h.framePart(8)
	if err != nil {
		return err
	}
	if f.id != 0 {
		return &http2Error{http2ProtocolError, "client sent PING frame with incorrect identifier"}
	}
	if f.flags&http2Ack != 0 {
		return nil
	}
	o := &h.c.writer
	o.mu.Lock()
	defer o.mu.Unlock()
	h.appendControl(http2Ping, http2Ack, 0, b)
	return h.flooded()
}

// windowFrame lets more be sent.
func (h *http2Conn) windowFrame() error {
	f := &h.frame
	if f.length != 4 {
		return http2Errorf(http2SizeError, "client sent WINDOW_UPDATE frame with incorrect length %d", f.length)
	}
	b, err := h.framePart(4)
	if err != nil {
		return err
	}
	more := int64(binary.BigEndian.Uint32(b) & http2.MaxWindow)
	if more == 0 {
		return &http2Error{http2ProtocolError, "client sent WINDOW_UPDATE frame with incorrect window increment 0"}
	}
	o := &h.c.writer
	o.mu.Lock()
	defer o.mu.Unlock()
	if f.id == 0 {
		if more > http2.MaxWindow-h.window {
			return http2Errorf(http2FlowControlError, "client violated connection flow control: "+
				"received WINDOW_UPDATE frame with window increment %d not allowed for window %d", more, h.window)
		}
		h.window += more
		return nil
	}
	s := h.streams[f.id]
	if s == nil {
		return nil
	}
	if more > http2.MaxWindow-s.window {
		h.log(errlog.Info, "client violated flow control for stream "+ngxtext.Itoa(int64(f.id))+": received WINDOW_UPDATE frame with window increment "+
			ngxtext.Itoa(more)+" not allowed for window "+ngxtext.Itoa(s.window))
		s.reset(http2FlowControlError)
		return nil
	}
	s.window += more
	h.enqueue(s)
	return h.flooded()
}
