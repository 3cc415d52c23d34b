package lua

import (
	"fmt"
	"net/url"
	"os"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// recordEscape is how the recording script made a text printable.
func recordEscape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.=&,;:!*() ", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}

func nilOr(s string, ok bool) string {
	if !ok {
		return "nil"
	}
	return recordEscape(s)
}

func describeArgs(args string) string {
	values := map[string][]string{}
	ngxtext.EachArg(args, 0, func(key, value string, hasValue bool) {
		v := recordEscape(value)
		if !hasValue {
			v = "true"
			if len(values[key]) == 0 && strings.Count("&"+args+"&", "&"+key+"&")+strings.Count("&"+args, "&"+key+"=") == 1 {
				v = "!true" // the only value of its key
			}
		}
		values[key] = append(values[key], v)
	})
	var out []string
	for k, v := range values {
		text := v[0]
		if len(v) > 1 {
			text = "{" + strings.ReplaceAll(strings.Join(v, "|"), "!", "") + "}"
		} else if text == "true" {
			text = "!true"
		}
		out = append(out, recordEscape(k)+"="+text)
	}
	sort.Strings(out)
	return strings.Join(out, " ")
}

// TestNgxText compares with answers of ngx_lua 0.10.23: function, arguments, result.
func TestNgxText(t *testing.T) {
	data, err := os.ReadFile("testdata/ngx_text.txt")
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		col := strings.Split(line, "\t")
		arg, err := url.PathUnescape(col[1])
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		switch col[0] {
		case "escape":
			var list []string
			kind, _ := strconv.Atoi(col[1])
			for c := range 256 {
				if ngxtext.EscapeByType(string([]byte{byte(c)}), kind) != string([]byte{byte(c)}) {
					list = append(list, fmt.Sprintf("%02x", c))
				}
			}
			got = []string{strings.Join(list, " ")}
		case "unescape":
			got = []string{recordEscape(ngxtext.UnescapeArg(arg))}
		case "decode_args":
			got = []string{describeArgs(arg)}
		case "b64":
			got = []string{recordEscape(ngxtext.EncodeBase64(arg, true)), recordEscape(ngxtext.EncodeBase64(arg, false))}
		case "unb64":
			got = []string{nilOr(ngxtext.DecodeBase64(arg))}
		case "time":
			sec, _ := strconv.ParseFloat(arg, 64)
			got = []string{ngxtext.FormatHTTPTime(max(int64(sec), 0)), ngxtext.CookieTime(int64(sec))}
		case "ptime":
			n, ok := ngxtext.ParseHTTPTime(col[1])
			got = []string{nilOr(strconv.FormatInt(n, 10), ok)}
		case "sql":
			continue // its argument is in TestQuoteSQL
		default:
			t.Fatalf("line %d: no function %s", i+1, col[0])
		}
		if g, w := strings.Join(got, "\t"), strings.Join(col[2:], "\t"); g != w {
			t.Errorf("line %d: %s %s\n got %s\nwant %s", i+1, col[0], col[1], g, w)
		}
	}
}

func TestQuoteSQL(t *testing.T) {
	got := ngxtext.QuoteSQL("a'b\"c\\d\x00e\nf\rg\tz\x1ah\bi$\xff")
	if want := `'a\'b\"c\\d\0e\nf\rg\tz\Zh\bi$` + "\xff'"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestEachArgLimit(t *testing.T) {
	for args, want := range map[string]bool{"a=1&b=2&c=3": true, "a=1&b=2": false, "a=1&b=2&": true} {
		n := 0
		if got := ngxtext.EachArg(args, 2, func(string, string, bool) { n++ }); got != want || n != 2 {
			t.Errorf("%s: truncated %v after %d", args, got, n)
		}
	}
}
