package transpile

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/moonphase/moonphase/transpile/internal/source"
)

// Formats are the names that WriteReport knows.
var Formats = []string{"text", "json", "sarif", "github"}

// WriteReport writes findings in one of Formats. ds must be sorted.
func WriteReport(w io.Writer, format string, ds []Diagnostic) error {
	switch format {
	case "text":
		WriteText(w, ds, false)
		return nil
	case "json":
		return writeJSON(w, ds)
	case "sarif":
		return writeSARIF(w, ds)
	case "github":
		return writeGitHub(w, ds)
	}
	return fmt.Errorf("unknown format %q, want one of %s", format, strings.Join(Formats, ", "))
}

// jsonFinding is a Diagnostic as tools see it: what is not known is left out.
type jsonFinding struct {
	Code     Code       `json:"code"`
	Severity string     `json:"severity"`
	File     string     `json:"file,omitempty"`
	Line     int        `json:"line,omitempty"`
	Column   int        `json:"column,omitempty"` // in bytes, from 1
	Length   int        `json:"length,omitempty"`
	Message  string     `json:"message"`
	Help     string     `json:"help,omitempty"`
	Notes    []jsonNote `json:"notes,omitempty"`
}

type jsonNote struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
}

func writeJSON(w io.Writer, ds []Diagnostic) error {
	list := make([]jsonFinding, 0, len(ds))
	for _, d := range ds {
		f := jsonFinding{
			Code: d.Code, Severity: d.Severity.String(), File: d.File, Line: d.Line, Column: d.Col, Length: d.Len,
			Message: d.Msg, Help: d.Help,
		}
		for _, n := range d.Notes {
			f.Notes = append(f.Notes, jsonNote{n.File, n.Line, n.Col, n.Msg})
		}
		list = append(list, f)
	}
	return encode(w, map[string]any{"findings": list})
}

func encode(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// writeGitHub writes workflow commands, which GitHub shows beside the lines.
func writeGitHub(w io.Writer, ds []Diagnostic) error {
	levels := map[Severity]string{Error: "error", Warning: "warning", Note: "notice"}
	value := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	for _, d := range ds {
		var props []string
		add := func(name, v string, known bool) {
			if known {
				props = append(props, name+"="+property.Replace(v))
			}
		}
		add("file", d.File, d.File != "")
		add("line", fmt.Sprint(d.Line), d.Line > 0)
		add("col", fmt.Sprint(d.Col), d.Col > 0)
		add("title", string(d.Code), true)
		msg := d.Msg
		if d.Help != "" {
			msg += "\n" + d.Help
		}
		if _, err := fmt.Fprintf(w, "::%s %s::%s\n", levels[d.Severity], strings.Join(props, ","), value.Replace(msg)); err != nil {
			return err
		}
	}
	return nil
}

// The parts of SARIF 2.1.0 that we fill (OASIS standard, sections 3.13 to 3.30).
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool       sarifTool     `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name  string      `json:"name"`
		Rules []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID    string    `json:"id"`
		Short sarifText `json:"shortDescription"`
		Full  sarifText `json:"fullDescription"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID    Code            `json:"ruleId"`
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations,omitempty"`
		Related   []sarifLocation `json:"relatedLocations,omitempty"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
		Message  *sarifText    `json:"message,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn,omitempty"`
		EndColumn   int `json:"endColumn,omitempty"`
	}
)

func writeSARIF(w io.Writer, ds []Diagnostic) error {
	run := sarifRun{
		Tool:       sarifTool{sarifDriver{Name: "moonphase", Rules: []sarifRule{}}},
		ColumnKind: "unicodeCodePoints", Results: []sarifResult{},
	}
	for _, c := range catalogue {
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{string(c.Code), sarifText{c.Title}, sarifText{c.Text}})
	}
	files := sourceCache{}
	for _, d := range ds {
		text := d.Msg
		if d.Help != "" {
			text += " (" + d.Help + ")"
		}
		r := sarifResult{RuleID: d.Code, Level: d.Severity.String(), Message: sarifText{text}}
		if d.File != "" {
			r.Locations = []sarifLocation{files.location(d.File, d.Line, d.Col, d.Len)}
		}
		for _, n := range d.Notes {
			l := files.location(n.File, n.Line, n.Col, 0)
			l.Message = &sarifText{n.Msg}
			r.Related = append(r.Related, l)
		}
		run.Results = append(run.Results, r)
	}
	return encode(w, sarifLog{
		Schema:  "https://json.schemastore.org/sarif-2.1.0.json",
		Version: "2.1.0", Runs: []sarifRun{run},
	})
}

// sourceCache keeps the files whose columns are converted.
type sourceCache map[string]*source.File

func (c sourceCache) get(name string) *source.File {
	f, ok := c[name]
	if !ok {
		if text, err := os.ReadFile(name); err == nil {
			f = source.New(text)
		}
		c[name] = f
	}
	return f
}

// location writes a place with columns in characters; without the file they
// cannot be known and are left out.
func (c sourceCache) location(file string, line, col, length int) sarifLocation {
	l := sarifLocation{Physical: sarifPhysical{Artifact: sarifArtifact{fileURI(file)}}}
	if line == 0 {
		return l
	}
	l.Physical.Region = &sarifRegion{StartLine: line}
	f := c.get(file)
	if f == nil || col == 0 {
		return l
	}
	text := f.Line(line)
	if col > len(text)+1 {
		return l
	}
	l.Physical.Region.StartColumn = utf8.RuneCount(text[:col-1]) + 1
	if end := col - 1 + length; length > 0 && end <= len(text) {
		l.Physical.Region.EndColumn = utf8.RuneCount(text[:end]) + 1
	}
	return l
}

// fileURI is a relative reference for a relative name, a file URI for an absolute one.
func fileURI(name string) string {
	u := url.URL{Path: filepath.ToSlash(name)}
	if filepath.IsAbs(name) {
		u.Scheme = "file"
	}
	return u.String()
}
