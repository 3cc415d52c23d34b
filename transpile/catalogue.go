package transpile

import (
	"slices"
	"strings"

	"github.com/moonphase/moonphase/transpile/internal/diag"
)

// CodeInfo explains one code, for `moonphase explain`.
type CodeInfo struct {
	Code  Code
	Title string
	// Text says why it is a mistake and what to do, in sentences.
	Text string
	// Before is Lua that has the mistake, After the same without it. Both are
	// empty for codes that are not about Lua text.
	Before, After string
}

// Codes lists every code in order.
func Codes() []CodeInfo { return slices.Clone(catalogue) }

// Explain finds a code's entry.
func Explain(code string) (CodeInfo, bool) {
	i := slices.IndexFunc(catalogue, func(c CodeInfo) bool { return string(c.Code) == code })
	if i < 0 {
		return CodeInfo{}, false
	}
	return catalogue[i], true
}

var catalogue = []CodeInfo{
	{
		Code: diag.Conf, Title: "the configuration cannot be read",
		Text: "The message is nginx's own. A directive that is wrong is left out and the others are checked; what hangs on the whole " +
			"configuration (a variable that nothing sets, a certificate without its key) is checked when each directive is right.",
	},
	{
		Code: diag.MissingFile, Title: "a Lua file that the configuration names is missing",
		Text: "A *_by_lua_file directive names a file that cannot be read. Relative names start at the server prefix (-p).",
	},
	{
		Code: diag.MissingModule, Title: "a required module is not on lua_package_path",
		Text: "nginx finds this out at the first request. Here it is an error of the build when the chunk surely runs and cannot " +
			"do without the module; in a function, in a branch or in a module that is loaded under pcall it is a warning, and LuaJIT's " +
			"error when the program gets there. Put the module on lua_package_path, or require it under pcall.",
	},
	{
		Code: diag.ComputedModule, Title: "a module name that is computed at run time",
		Text: "A built program has the modules it was built with. Names that are constant, or put together of constants and of the " +
			"module's own name, are followed; of \"plugins.\" .. name every module below plugins is taken. This name can be anything: if no " +
			"other place names the module it means, require fails at run time. `--module NAME` (a glob works) or the comment " +
			"`-- moonphase:require NAME` adds modules, and ends this warning.",
	},
	{
		Code: diag.Outside, Title: "something that the configuration needs is not on this machine",
		Text: "A certificate that cannot be read, a name that cannot be resolved: the server refuses to start without it, with this " +
			"message, and so does `-t`. A build goes on, because it may be made for another machine; `--strict` stops it, and " +
			"`vet --ignore C1005` leaves it out.",
	},
	{
		Code: diag.Builtin, Title: "a file that is not there is built in",
		Text: "nginx is installed with mime.types, fastcgi_params, fastcgi.conf, scgi_params, uwsgi_params, koi-utf, koi-win and win-utf, " +
			"which configurations include. Where such a file does not exist, a built-in one with the same content takes its place, in " +
			"the server as well.",
	},
	{
		Code: diag.Absent, Title: "a directive that nginx has and moonphase does not",
		Text: "nginx, or the module that is named, has this directive, and a server that left it out would serve something else than nginx. " +
			"What comes later is listed in docs/reference/missing.md; `--ignore stream` leaves the block stream out (or mail, or any other " +
			"outermost block) and serves the rest.",
	},
	{
		Code: diag.NoDirective, Title: "no such directive",
		Text: "Neither nginx nor a module that is known here has a directive of this name. The one that is proposed has the fewest letters " +
			"changed; one that may stand at this place goes before others.",
	},
	{
		Code: diag.Include, Title: "an included file cannot be read",
		Text: "What it says is unknown, so nothing is built. A pattern such as conf.d/*.conf that no file matches is no mistake. For a " +
			"configuration of another machine, `--map /etc/nginx=./nginx` says where its files are here.",
	},
	{
		Code: diag.LeftOut, Title: "a block that is left out",
		Text: "`--ignore` names it. The binary leaves it out too, and says so in its error log at start.",
	},
	{
		Code: diag.UnknownModule, Title: "load_module names a module that is not here",
		Text: "Nothing is loaded: the modules of OpenResty that moonphase has are part of it, and load_module of one of them does nothing. " +
			"Of this one nothing is there; where the configuration uses its directives, each use is an error of its own.",
	},
	{
		Code: diag.Syntax, Title: "syntax error",
		Text: "The text is LuaJIT's: it names the token that does not fit and, where only one thing could follow, what was expected. " +
			"A server built from such a chunk raises this error when the chunk is to run, as OpenResty does.",
		Before: "local x = = 1", After: "local x = 1",
	},
	{
		Code: diag.BadNumber, Title: "malformed number",
		Text: "Digits, letters and dots that touch are read as one number, so `3x` and `1..2` are not two tokens. " +
			"Put a space before `..` after a number.",
		Before: "local x = 1..2", After: "local x = 1 ..2",
	},
	{
		Code: diag.BadString, Title: "unfinished string",
		Text:   "A string in quotes ends on its line. Use \\n, a backslash before the line end, or [[ ]].",
		Before: "local x = \"a\nb\"", After: "local x = \"a\\nb\"",
	},
	{
		Code: diag.BadEscape, Title: "invalid escape sequence",
		Text: "LuaJIT knows \\a \\b \\f \\n \\r \\t \\v \\\\ \\\" \\' \\xHH \\ddd \\u{HHH} \\z and a backslash before a line end. " +
			"A regular expression such as \"\\d+\" needs [[\\d+]] or \"\\\\d+\"; inside a quoted nginx directive, one more level.",
		Before: `local m = ngx.re.match(x, "\d+")`, After: `local m = ngx.re.match(x, [[\d+]])`,
	},
	{
		Code: diag.BadLong, Title: "unfinished long string or comment",
		Text:   "What starts with [[ or [==[ ends with ]] or ]==], with as many equals signs.",
		Before: "local x = [==[ a ]]", After: "local x = [==[ a ]==]",
	},
	{
		Code: diag.VarargOutside, Title: "'...' outside a vararg function",
		Text:   "Only a function whose parameters end in `...` has them; an inner function does not see those around it.",
		Before: "local function f(...) return function() return ... end end",
		After:  "local function f(...) local args = {...} return function() return unpack(args) end end",
	},
	{
		Code: diag.BreakOutside, Title: "break outside a loop",
		Text:   "A loop around the function that `break` stands in does not count.",
		Before: "if x then break end", After: "if x then return end",
	},
	{
		Code: diag.NoLabel, Title: "goto without its label",
		Text:   "A goto reaches labels of its own block and of the blocks around it in the same function.",
		Before: "goto done\ndo ::done:: end", After: "goto done\n::done::",
	},
	{
		Code: diag.DoubleLabel, Title: "label defined twice",
		Text:   "A block cannot have two labels of one name.",
		Before: "::a:: ::a::", After: "::a:: ::b::",
	},
	{
		Code: diag.GotoScope, Title: "goto into the scope of a local",
		Text:   "A jump may not pass a `local` that is still in scope at the label, unless the label ends its block.",
		Before: "goto skip\nlocal x = 1\n::skip::\nprint(x)", After: "local x\ngoto skip\nx = 1\n::skip::\nprint(x)",
	},
	{
		Code: diag.Limit, Title: "too many locals or upvalues",
		Text: "LuaJIT allows 200 locals in a function, loop control included, and OpenResty's 120 upvalues. " +
			"Put groups of locals into `do ... end` blocks or into a table.",
		Before: strings.Repeat("local x ", 201), After: "local t = {}",
	},
	{
		Code: diag.Nesting, Title: "nested too deep",
		Text:   "LuaJIT allows 200 levels of blocks and expressions.",
		Before: "return " + strings.Repeat("(", 200) + "1" + strings.Repeat(")", 200), After: "return 1",
	},
	{
		Code: diag.Bytecode, Title: "compiled Lua",
		Text:   "Output of `luajit -b` is not source; give the .lua file it was made from.",
		Before: "\x1bLJ\x02", After: "return 1",
	},
	{
		Code: diag.LongChain, Title: "too many operators or calls in a row",
		Text:   "LuaJIT takes it, but the Go compiler would go as deep as the expression is long. Build the value in several statements.",
		Before: "local a = 1 return a" + strings.Repeat("+a", 10001), After: "local a = 1 return a + a",
	},
	{
		Code: diag.Internal, Title: "internal error",
		Text: "The compiler contradicts itself. It is not the script's fault: please report it, with the chunk.",
	},
	{
		Code: diag.GlobalWrite, Title: "assignment to a global",
		Text: "A name without `local` is a global: one for all requests of a worker, so requests overwrite each other's value. " +
			"Reading and writing it is slower than a local, too. Code of init_by_lua and plain scripts may set globals.",
		Before: "count = 1", After: "local count = 1",
	},
	{
		Code: diag.UndefinedGlobal, Title: "a global that nothing sets",
		Text: "No chunk of the program assigns it and it is not part of Lua or ngx_lua, so it is nil and the operation raises an error. " +
			"A chunk that also tests the name (`if x then`) knows that it may be missing, and is left alone.",
		Before: "tosring(1)", After: "tostring(1)",
	},
	{
		Code: diag.Context, Title: "API refused where it is called",
		Text: "ngx_lua refuses the function in this phase: \"API disabled in the context of ...\". " +
			"Calls are followed through functions and modules; the notes give the way. " +
			"A function that asks ngx.get_phase is left alone.",
		Before: "ngx.say('x')", After: "ngx.log(ngx.INFO, 'x')",
	},
	{
		Code: diag.LoadTime, Title: "a request's data while a module is loaded",
		Text: "A module's own code runs once a worker, when it is first required. What it reads from the request then " +
			"is that one request's, for all that follow; sockets made there belong to that request.",
		Before: "local M = {} local host = ngx.var.host function M.f() return host end return M",
		After:  "local M = {} function M.f() return ngx.var.host end return M",
	},
	{
		Code: diag.UnknownAPI, Title: "a name that ngx_lua does not have",
		Text:   "ngx has no such entry and no chunk adds it, so it is nil.",
		Before: "local m = ngx.get_methd()", After: "local m = ngx.req.get_method",
	},
	{
		Code: diag.DoubleKey, Title: "a key given twice",
		Text:   "A table constructor sets its fields in order, so the first value is lost.",
		Before: "local t = {a = 1, a = 2}", After: "local t = {a = 1, b = 2}",
	},
	{
		Code: diag.Downwards, Title: "a loop that should count down",
		Text:   "Without a step `for` counts up, so from a length to 1 it runs once at most.",
		Before: "local t = {} for i = #t, 1 do t[i] = nil end", After: "local t = {} for i = #t, 1, -1 do t[i] = nil end",
	},
	{
		Code: diag.NegatedOperand, Title: "not a == b",
		Text:   "`not` binds stronger than comparison: this compares a boolean with b.",
		Before: "local a if not a == 1 then return end", After: "local a if not (a == 1) then return end",
	},
	{
		Code: diag.FormatArgs, Title: "string.format with too few arguments",
		Text:   "It raises \"bad argument ... (string expected, got no value)\".",
		Before: "local s = string.format('%s %s', 1)", After: "local s = string.format('%s', 1)",
	},
	{
		Code: diag.ExtraValues, Title: "values that nothing takes",
		Text:   "There are more values than names, and the rest is dropped.",
		Before: "local a = 1, 2", After: "local a, b = 1, 2",
	},
	{
		Code: diag.AlwaysTrue, Title: "a condition that is always true",
		Text:   "Only nil and false are false in Lua: a length is true even when it is 0.",
		Before: "local t = {} if #t then return end", After: "local t = {} if #t > 0 then return end",
	},
	{
		Code: diag.SharedDict, Title: "a shared dictionary that the configuration does not have",
		Text: "ngx.shared has an entry for each lua_shared_dict directive, and nil for every other name. " +
			"A chunk that tests the entry knows that it may be missing, and is left alone.",
		Before: "local n = ngx.shared.no_such_dict:get('n')", After: "local d = ngx.shared.no_such_dict local n = d and d:get('n')",
	},
	{
		Code: diag.BadRegex, Title: "a regular expression that ngx.re refuses",
		Text: "The pattern is a constant, so it fails at every call: most functions return nil and the error, which many callers " +
			"take for no match.",
		Before: "local m = ngx.re.match('x', '(')", After: "local m = ngx.re.match('x', '[(]')",
	},
}
