package ssl

import "golang.org/x/crypto/cryptobyte"

// ClientHello is the message that a client begins with, as far as package tls does not
// tell it.
type ClientHello struct {
	Ciphers    []uint16
	Extensions []Extension // in the client's order
}

// Extension is one extension of a hello.
type Extension struct {
	ID   uint16
	Body []byte
}

// Of the records and messages of TLS (RFC 8446, 4 and 5).
const (
	recordHandshake    = 22
	messageClientHello = 1
	messageServerHello = 2

	statusRequest = 5 // the extension by which clients ask for an OCSP response

	randomAt  = 5 + 4 + 2 // behind the headers of record and message, and the version
	RandomLen = 32
)

// RandomOf is the random of the hello that a record begins with; nil for none.
func RandomOf(record []byte) []byte {
	if len(record) < randomAt+RandomLen || record[0] != recordHandshake || record[5] != messageClientHello && record[5] != messageServerHello {
		return nil
	}
	return record[randomAt : randomAt+RandomLen]
}

// ParseClientHello reads the message out of the records that a client has sent; nil
// when they hold none.
func ParseClientHello(records []byte) *ClientHello {
	var message []byte
	for in := cryptobyte.String(records); !in.Empty(); {
		var kind uint8
		var version uint16
		var body cryptobyte.String
		if !in.ReadUint8(&kind) || kind != recordHandshake || !in.ReadUint16(&version) || !in.ReadUint16LengthPrefixed(&body) {
			break
		}
		message = append(message, body...)
	}
	in := cryptobyte.String(message)
	var kind uint8
	var body, session, ciphers, compressions, extensions cryptobyte.String
	if !in.ReadUint8(&kind) || kind != messageClientHello || !in.ReadUint24LengthPrefixed(&body) ||
		!body.Skip(2+RandomLen) || !body.ReadUint8LengthPrefixed(&session) ||
		!body.ReadUint16LengthPrefixed(&ciphers) || !body.ReadUint8LengthPrefixed(&compressions) {
		return nil
	}
	hello := &ClientHello{}
	for !ciphers.Empty() {
		var id uint16
		if !ciphers.ReadUint16(&id) {
			return nil
		}
		hello.Ciphers = append(hello.Ciphers, id)
	}
	if body.Empty() {
		return hello
	}
	if !body.ReadUint16LengthPrefixed(&extensions) {
		return nil
	}
	for !extensions.Empty() {
		var e Extension
		var data cryptobyte.String
		if !extensions.ReadUint16(&e.ID) || !extensions.ReadUint16LengthPrefixed(&data) {
			return nil
		}
		e.Body = data
		hello.Extensions = append(hello.Extensions, e)
	}
	return hello
}

// Extension is the body of the first extension of a kind; ok tells whether there is one.
func (h *ClientHello) Extension(id uint16) (body []byte, ok bool) {
	for _, e := range h.Extensions {
		if e.ID == id {
			return e.Body, true
		}
	}
	return nil, false
}

// IsGREASE tells of the values that clients make up so that servers learn to skip what
// they do not know (RFC 8701).
func IsGREASE(id uint16) bool { return id&0x0F0F == 0x0A0A && id>>8 == id&0xFF }
