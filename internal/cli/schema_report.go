package cli

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// writeChecks writes verdicts in the form that was asked for.
func (a *app) writeChecks(views []checkView) error {
	switch a.output {
	case formJSON:
		return writeJSON(a.cfg.Stdout, views)
	case formLines:
		for _, v := range views {
			if err := writeLine(a.cfg.Stdout, v); err != nil {
				return err
			}
		}
		return nil
	case formGitHub:
		return writeAnnotations(a.cfg.Stdout, views)
	case formJUnit:
		return writeJUnit(a.cfg.Stdout, views)
	}
	return writeChecks(a.cfg.Stdout, views)
}

// writeChecks is for people: a line for each contract, and below it what there is to mend.
func writeChecks(w io.Writer, views []checkView) error {
	var b strings.Builder
	for _, v := range views {
		fmt.Fprintf(&b, "%-8s %s (%s)", v.Verdict, plain(v.Subject), plain(v.From))
		if v.Against != "" {
			fmt.Fprintf(&b, " against %s at %s", plain(v.Against), v.Level)
		}
		b.WriteByte('\n')
		if v.Reason != "" {
			fmt.Fprintf(&b, "         %s\n", plain(v.Reason))
		}
		writeBreaks(&b, "break", v.Breaks)
		writeBreaks(&b, "warning", v.Warnings)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeBreaks(b *strings.Builder, what string, all []breakView) {
	for _, d := range all {
		fmt.Fprintf(b, "  %s %s at %s\n    %s\n", what, d.Kind, plain(d.Path), plain(d.Message))
		if d.Breaks != "" {
			fmt.Fprintf(b, "    breaks: %s\n", plain(d.Breaks))
		}
		if d.Mend != "" {
			fmt.Fprintf(b, "    mend:   %s\n", plain(d.Mend))
		}
	}
}

// text is a break in one piece.
func (d breakView) text() string {
	text := d.Kind + " at " + d.Path + ": " + d.Message
	if d.Breaks != "" {
		text += "\nBreaks: " + d.Breaks
	}
	if d.Mend != "" {
		text += "\nMend: " + d.Mend
	}
	return text
}

// Escapes of GitHub's workflow commands: of what is said, and of what stands between commas.
var (
	annotationText  = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	annotationValue = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

// writeAnnotations writes what GitHub shows beside the lines of a change.
func writeAnnotations(w io.Writer, views []checkView) error {
	var b strings.Builder
	for _, v := range views {
		tell := func(level, text string) {
			b.WriteString("::" + level + " ")
			if v.File != "" {
				b.WriteString("file=" + annotationValue.Replace(v.File) + ",")
			}
			b.WriteString("title=" + annotationValue.Replace("contract "+v.Subject) + "::" + annotationText.Replace(text) + "\n")
		}
		if v.Verdict == contractInvalid {
			tell("error", v.Reason)
		}
		if v.Verdict == contractGone {
			tell("notice", "in use at "+v.From+", and gone: "+v.Reason)
		}
		for _, d := range v.Breaks {
			tell("error", d.text()+"\nAgainst "+v.Against+" at "+v.Level)
		}
		for _, d := range v.Warnings {
			tell("warning", d.text())
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// What JUnit's readers know.
type (
	junitSuite struct {
		XMLName  xml.Name    `xml:"testsuite"`
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string     `xml:"name,attr"`
		Class   string     `xml:"classname,attr"`
		Failure *junitText `xml:"failure"`
		Skipped *junitText `xml:"skipped"`
		Out     string     `xml:"system-out,omitempty"`
	}
	junitText struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

func writeJUnit(w io.Writer, views []checkView) error {
	suite := junitSuite{Name: "leat schema check", Tests: len(views)}
	for _, v := range views {
		c := junitCase{Name: v.Subject, Class: v.From, Out: texts(v.Warnings)}
		switch v.Verdict {
		case contractInvalid:
			c.Failure = &junitText{"no schema", v.Reason}
		case contractBreak:
			c.Failure = &junitText{"breaks with " + v.Against + " at " + v.Level, texts(v.Breaks)}
		case contractRefused:
			c.Failure = &junitText{"the registry would refuse it beside " + v.Against + " at " + v.Level, texts(v.Breaks)}
		case contractSkipped, contractGone:
			suite.Skipped++
			c.Skipped = &junitText{Message: v.Reason}
		}
		if c.Failure != nil {
			suite.Failures++
		}
		suite.Cases = append(suite.Cases, c)
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	if err := enc.Encode(suite); err != nil {
		return fmt.Errorf("write JUnit: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func texts(all []breakView) string {
	var parts []string
	for _, d := range all {
		parts = append(parts, d.text())
	}
	return strings.Join(parts, "\n\n")
}
