package sqldb

import "strings"

// statement is one statement of a file and the line that it begins in, from 1.
type statement struct {
	text string
	line int
}

// split cuts a file into statements at the semicolons that end one: not those in quotes, comments,
// dollar bodies, SQLite's triggers and PostgreSQL's BEGIN ATOMIC bodies.
func split(file string, d Dialect) []statement {
	l := lexer{text: file, dialect: d, line: 1}
	var list []statement
	for l.pos < len(l.text) {
		if s, ok := l.statement(); ok {
			list = append(list, s)
		}
	}
	return list
}

// lexer knows just enough of SQL to find the end of a statement.
type lexer struct {
	text    string
	dialect Dialect
	pos     int
	line    int

	// What the statement at hand has shown so far.
	words   int       // how many words
	recent  [3]string // the last three tokens, the newest last: lower-case words and ";"
	trigger bool      // it creates a trigger in SQLite: it ends with "; end;"
	atomic  int       // depth of begin atomic and of case within it
}

// statement reads up to and without the next ending semicolon. ok is false if there is nothing but
// comments.
func (l *lexer) statement() (_ statement, ok bool) {
	l.words, l.recent, l.trigger, l.atomic = 0, [3]string{}, false, 0
	start, line, found := l.pos, l.line, false
	for l.pos < len(l.text) {
		c := l.text[l.pos]
		switch {
		case c == ';' && l.ends():
			text := l.text[start:l.pos]
			l.pos++
			return statement{strings.TrimSpace(text), line}, found
		case c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f':
			l.skip(1)
		case l.comment():
		default:
			if !found {
				found, start, line = true, l.pos, l.line
			}
			l.token(c)
		}
	}
	return statement{strings.TrimSpace(l.text[start:]), line}, found
}

// ends says whether a semicolon here ends the statement.
func (l *lexer) ends() bool {
	if l.atomic > 0 {
		return false
	}
	return !l.trigger || (l.recent[1] == ";" && l.recent[2] == "end")
}

// skip goes n bytes on and counts lines.
func (l *lexer) skip(n int) {
	n = min(n, len(l.text)-l.pos)
	l.line += strings.Count(l.text[l.pos:l.pos+n], "\n")
	l.pos += n
}

// through skips to the end of the next occurrence of mark, or to the end of the file.
func (l *lexer) through(from int, mark string) {
	rest := l.text[min(l.pos+from, len(l.text)):]
	if i := strings.Index(rest, mark); i >= 0 {
		l.skip(from + i + len(mark))
		return
	}
	l.skip(len(l.text))
}

// comment skips a comment if one begins here. PostgreSQL's nest.
func (l *lexer) comment() bool {
	rest := l.text[l.pos:]
	switch {
	case strings.HasPrefix(rest, "--"):
		l.through(2, "\n")
		return true
	case !strings.HasPrefix(rest, "/*"):
		return false
	case l.dialect == SQLite:
		l.through(2, "*/")
		return true
	}
	depth := 0
	for l.pos < len(l.text) {
		switch rest := l.text[l.pos:]; {
		case strings.HasPrefix(rest, "/*"):
			depth++
			l.skip(2)
		case strings.HasPrefix(rest, "*/"):
			depth--
			l.skip(2)
		default:
			l.skip(1)
		}
		if depth == 0 {
			break
		}
	}
	return true
}

// token skips one token that is neither space nor comment.
func (l *lexer) token(c byte) {
	switch {
	case c == '\'':
		l.quoted('\'', false)
	case c == '"' || (c == '`' && l.dialect == SQLite):
		l.quoted(c, false)
	case c == '[' && l.dialect == SQLite:
		l.through(1, "]")
	case c == '$' && l.dialect == Postgres:
		l.dollar()
	case isWord(c):
		l.word()
	default:
		if c == ';' {
			l.saw(";")
		} else {
			l.saw("")
		}
		l.skip(1)
	}
}

// quoted skips a quoted text. A doubled quote stands for one; after escapes, so does \'.
func (l *lexer) quoted(quote byte, escapes bool) {
	l.saw("")
	l.skip(1)
	for l.pos < len(l.text) {
		c := l.text[l.pos]
		l.skip(1)
		switch {
		case escapes && c == '\\':
			l.skip(1)
		case c != quote:
		case l.pos < len(l.text) && l.text[l.pos] == quote:
			l.skip(1)
		default:
			return
		}
	}
}

// dollar skips $$ body $$ and $tag$ body $tag$, or the $ of a placeholder.
func (l *lexer) dollar() {
	l.saw("")
	end := l.pos + 1
	for end < len(l.text) && isWord(l.text[end]) && l.text[end] != '$' {
		end++
	}
	digit := l.pos+1 < len(l.text) && l.text[l.pos+1] >= '0' && l.text[l.pos+1] <= '9'
	if end == len(l.text) || l.text[end] != '$' || digit {
		l.skip(1)
		return
	}
	tag := l.text[l.pos : end+1]
	l.through(len(tag), tag)
}

// word skips a word and notes what it means for the end of the statement.
func (l *lexer) word() {
	end := l.pos
	for end < len(l.text) && isWord(l.text[end]) {
		end++
	}
	word := strings.ToLower(l.text[l.pos:end])
	l.skip(end - l.pos)
	if word == "e" && l.dialect == Postgres && l.pos < len(l.text) && l.text[l.pos] == '\'' {
		l.quoted('\'', true)
		return
	}
	l.words++
	before := l.recent[2]
	l.saw(word)
	switch {
	case l.dialect == SQLite:
		temporary := before == "temp" || before == "temporary"
		if word == "trigger" && ((l.words == 2 && before == "create") || (l.words == 3 && temporary && l.recent[0] == "create")) {
			l.trigger = true
		}
	case word == "atomic" && before == "begin", word == "case" && l.atomic > 0:
		l.atomic++
	case word == "end" && l.atomic > 0:
		l.atomic--
	}
}

func (l *lexer) saw(token string) {
	l.recent = [3]string{l.recent[1], l.recent[2], token}
}

// isWord says whether c may stand in a name. A $ may, but not at its beginning.
func isWord(c byte) bool {
	return c == '_' || c == '$' || c >= 0x80 || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
