package core

// SetMatchLimit bounds the matches of a configuration's regexes, in steps.
func SetMatchLimit(steps int) { confMatchLimit = steps }
