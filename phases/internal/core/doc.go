// Package core is the middle of the server, as src/http is nginx's: the request and
// its phases, the response and its filters, locations and servers, the compiler of
// configurations with its directives and variables, and the contract of a module
// (Module). It knows no module by name and no Lua.
package core
