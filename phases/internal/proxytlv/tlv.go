// Package proxytlv finds the extensions of a PROXY protocol header of version 2
// ($proxy_protocol_tlv_, ngx_proxy_protocol_get_tlv).
package proxytlv

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// types are those that have a name.
var types = map[string]byte{"alpn": 0x01, "authority": 0x02, "unique_id": 0x05, "ssl": ssl, "netns": 0x30}

// sslTypes are those inside of ssl.
var sslTypes = map[string]byte{"ssl_version": 0x21, "ssl_cn": 0x22, "ssl_cipher": 0x23, "ssl_sig_alg": 0x24, "ssl_key_alg": 0x25}

const (
	ssl     = 0x20
	sslHead = 5 // bytes: what the client has shown, and how its certificate was judged
)

// Find gives the value of the extension called name, or by its number as 0x01; those
// inside of ssl are called ssl_cn or ssl_0x22. The error is about the name.
func Find(list []byte, name string) (value string, ok bool, err error) {
	want, found := types[name]
	within := false
	if !found {
		want, within, err = number(name)
	}
	if err != nil {
		return "", false, err
	}
	if !within {
		v, ok := find(list, want)
		return string(v), ok, nil
	}
	outer, ok := find(list, ssl)
	if !ok || len(outer) < sslHead {
		return "", false, nil
	}
	if name == "ssl_verify" {
		return strconv.FormatUint(uint64(binary.BigEndian.Uint32(outer[1:])), 10), true, nil
	}
	v, ok := find(outer[sslHead:], want)
	return string(v), ok, nil
}

// number is the type of an extension without a name of its own, and whether it stands
// inside of ssl.
func number(name string) (n byte, within bool, err error) {
	if n, ok := sslTypes[name]; ok || name == "ssl_verify" {
		return n, true, nil
	}
	text, within := strings.CutPrefix(name, "ssl_")
	hex, ok := strings.CutPrefix(text, "0x")
	if !ok {
		return 0, within, fmt.Errorf("unknown PROXY protocol TLV \"%s\"", name)
	}
	v, bad := strconv.ParseUint(hex, 16, 8)
	if bad != nil {
		return 0, within, fmt.Errorf("invalid PROXY protocol TLV \"%s\"", name)
	}
	return byte(v), within, nil
}

// find gives the first of that type. A list that is cut off has no more.
func find(list []byte, want byte) ([]byte, bool) {
	for len(list) >= 3 {
		n := int(binary.BigEndian.Uint16(list[1:]))
		if len(list) < 3+n {
			break
		}
		if list[0] == want {
			return list[3 : 3+n], true
		}
		list = list[3+n:]
	}
	return nil, false
}
