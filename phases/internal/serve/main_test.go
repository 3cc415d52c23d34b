package serve

import "testing"

func TestParseArgs(t *testing.T) {
	tests := []struct {
		args []string
		want string // error, or prefix, conf, error log
	}{
		{[]string{"-p", "/x", "-c", "a.conf"}, "/x/ /x/a.conf stderr"},
		{[]string{"-p/x/", "-c/y/a.conf", "-elogs/e"}, "/x/ /y/a.conf /x/logs/e"},
		{[]string{"-tqp", "/x"}, "/x/ /x/conf/nginx.conf stderr"},
		{[]string{"-x"}, `invalid option: "x"`},
		{[]string{"foo"}, `invalid option: "foo"`},
		{[]string{"-c"}, `option "-c" requires file name`},
		{[]string{"-p"}, `option "-p" requires directory name`},
		{[]string{"-s"}, `option "-s" requires parameter`},
		{[]string{"-s", "foo"}, `invalid option: "-s foo"`},
	}
	for _, tt := range tests {
		o, err := parseArgs(tt.args)
		got := o.prefix + " " + o.conf + " " + o.errorLog
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%v: got %s, want %s", tt.args, got, tt.want)
		}
	}
}
