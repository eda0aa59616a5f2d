package kafka

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// ReadPropertyFile reads a file in the form of java.util.Properties, as Kafka's own tools take it. A
// name that stands in it twice is an error.
func ReadPropertyFile(path string) (map[string]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the property file: %w", err)
	}
	props, err := ParsePropertyFile(data)
	if err != nil {
		return nil, fmt.Errorf("read the property file %s: %w", path, err)
	}
	return props, nil
}

// ParsePropertyFile reads the form of java.util.Properties in UTF-8: name=value, name: value or name
// value; lines that begin with # or ! are comments; a backslash at the end continues a line, and
// escapes \t \n \r \f \uXXXX and any other character. A name that stands in it twice is an error, and
// so is what Java would take as text by accident: a broken \u, bytes that are no UTF-8.
func ParsePropertyFile(data []byte) (map[string]string, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if !utf8.Valid(data) {
		return nil, errors.New("it is not UTF-8")
	}
	props := map[string]string{}
	var errs []error
	for _, l := range logicalLines(string(data)) {
		rawName, rawValue := splitProperty(l.text)
		name, err := unescape(rawName)
		if err != nil {
			errs = append(errs, fmt.Errorf("line %d: %w", l.number, err))
			continue
		}
		value, err := unescape(rawValue)
		if err != nil { // the value may be a secret: the error tells where, not what
			errs = append(errs, fmt.Errorf("line %d, property %s: %w", l.number, name, err))
			continue
		}
		if _, twice := props[name]; twice {
			errs = append(errs, fmt.Errorf("line %d: property %s stands here a second time", l.number, name))
			continue
		}
		props[name] = value
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return props, nil
}

type line struct {
	number int // of its first natural line, from 1
	text   string
}

const blanks = " \t\f"

// logicalLines joins continued lines and leaves out blank ones and comments.
func logicalLines(text string) []line {
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	natural := strings.Split(text, "\n")
	var lines []line
	for i := 0; i < len(natural); i++ {
		first, l := i+1, strings.TrimLeft(natural[i], blanks)
		if l == "" || l[0] == '#' || l[0] == '!' {
			continue
		}
		for continues(l) && i+1 < len(natural) {
			i++
			l = l[:len(l)-1] + strings.TrimLeft(natural[i], blanks)
		}
		if continues(l) { // at the end of the file there is nothing to continue with
			l = l[:len(l)-1]
		}
		lines = append(lines, line{first, l})
	}
	return lines
}

// continues says whether an odd number of backslashes ends the line.
func continues(l string) bool {
	return (len(l)-len(strings.TrimRight(l, `\`)))%2 == 1
}

// splitProperty ends the name at the first '=', ':' or blank that is not escaped.
func splitProperty(l string) (name, value string) {
	end := len(l)
	for i := 0; i < len(l); i++ {
		if l[i] == '\\' {
			i++
		} else if strings.IndexByte("=:"+blanks, l[i]) >= 0 {
			end = i
			break
		}
	}
	value = strings.TrimLeft(l[end:], blanks)
	if value != "" && (value[0] == '=' || value[0] == ':') {
		value = strings.TrimLeft(value[1:], blanks)
	}
	return l[:end], value
}

func unescape(s string) (string, error) {
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			out.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 't':
			out.WriteByte('\t')
		case 'n':
			out.WriteByte('\n')
		case 'r':
			out.WriteByte('\r')
		case 'f':
			out.WriteByte('\f')
		case 'u':
			r, n, err := unicodeEscape(s[i-1:])
			if err != nil {
				return "", err
			}
			out.WriteRune(r)
			i += n - 2
		default:
			out.WriteByte(s[i])
		}
	}
	return out.String(), nil
}

// unicodeEscape reads \uXXXX, or two of them that are one character, and how long that is.
func unicodeEscape(s string) (rune, int, error) {
	unit, err := hex4(s)
	if err != nil {
		return 0, 0, err
	}
	if !utf16.IsSurrogate(unit) {
		return unit, 6, nil
	}
	if low, err := hex4(s[6:]); err == nil {
		if r := utf16.DecodeRune(unit, low); r != utf8.RuneError {
			return r, 12, nil
		}
	}
	return 0, 0, errors.New(`half a character: a \u surrogate without its other half`)
}

func hex4(s string) (rune, error) {
	if len(s) < 6 || s[:2] != `\u` {
		return 0, errors.New(`\u needs four hexadecimal digits`)
	}
	n, err := strconv.ParseUint(s[2:6], 16, 16)
	if err != nil {
		return 0, errors.New(`\u needs four hexadecimal digits`)
	}
	return rune(n), nil
}
