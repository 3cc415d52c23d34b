package diag

// Code names a kind of finding for good: it is never reused. L1xxx: LuaJIT
// refuses the chunk. L2xxx: LuaJIT takes it, this compiler does not. L3xxx:
// it compiles, and is certainly or probably a mistake. C1xxx: the mistake is in
// what surrounds the chunks.
type Code string

const (
	Syntax        Code = "L1001"
	BadNumber     Code = "L1002"
	BadString     Code = "L1003"
	BadEscape     Code = "L1004"
	BadLong       Code = "L1005"
	VarargOutside Code = "L1006"
	BreakOutside  Code = "L1007"
	NoLabel       Code = "L1008"
	DoubleLabel   Code = "L1009"
	GotoScope     Code = "L1010"
	Limit         Code = "L1011"
	Nesting       Code = "L1012"
	Bytecode      Code = "L1013"

	LongChain Code = "L2001"
	Internal  Code = "L2999"

	GlobalWrite     Code = "L3001"
	UndefinedGlobal Code = "L3002"
	Context         Code = "L3003"
	LoadTime        Code = "L3004"
	UnknownAPI      Code = "L3005"
	DoubleKey       Code = "L3006"
	Downwards       Code = "L3007"
	NegatedOperand  Code = "L3008"
	FormatArgs      Code = "L3009"
	ExtraValues     Code = "L3010"
	AlwaysTrue      Code = "L3011"
	SharedDict      Code = "L3012"
	BadRegex        Code = "L3013"

	Conf           Code = "C1001"
	MissingFile    Code = "C1002"
	MissingModule  Code = "C1003"
	ComputedModule Code = "C1004"
	Outside        Code = "C1005"
	Builtin        Code = "C1006"
	Absent         Code = "C1007"
	NoDirective    Code = "C1008"
	Include        Code = "C1009"
	LeftOut        Code = "C1010"
	UnknownModule  Code = "C1011"
)
