package cli

import (
	_ "embed"
	"html"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// catalogFrame is the page without its title and its body.
//
//go:embed schema_catalog.html
var catalogFrame string

// markup is HTML. It comes from constants, from text, which escapes, and from element.
//
// No html/template here: a program that can reach a template's execution has to keep each exported method
// of each of its types, which made this binary a fifth larger.
type markup string

func text(s string) markup { return markup(html.EscapeString(s)) }

// element encloses parts in a tag, which may bring attributes along.
func element(tag markup, parts ...markup) markup {
	name, _, _ := strings.Cut(string(tag), " ")
	return "<" + tag + ">" + joined("", parts) + "</" + markup(name) + ">"
}

// block is an element with each part on a line of its own, nothing where there is no part.
func block(tag markup, parts ...markup) markup {
	if len(parts) == 0 {
		return ""
	}
	return element(tag, "\n"+joined("\n", parts)+"\n")
}

func joined(between markup, parts []markup) markup {
	var b strings.Builder
	for i, p := range parts {
		if i > 0 {
			b.WriteString(string(between))
		}
		b.WriteString(string(p))
	}
	return markup(b.String())
}

// listed joins what show makes of each name.
func listed(names []string, none markup, show func(string) markup) markup {
	if len(names) == 0 {
		return none
	}
	parts := make([]markup, len(names))
	for i, name := range names {
		parts[i] = show(name)
	}
	return joined(", ", parts)
}

// entry is one of a list of terms.
func entry(name, value markup) markup { return element("dt", name) + element("dd", value) }

func row(cell markup, cells ...markup) markup {
	parts := make([]markup, len(cells))
	for i, c := range cells {
		parts[i] = element(cell, c)
	}
	return element("tr", parts...)
}

func table(head markup, rows []markup) markup {
	return block("table", element("thead", head), block("tbody", rows...))
}

func (c catalog) html() string {
	var services []markup
	for _, s := range c.Services {
		services = append(services, row("td", text(s.Name), topicLinks(s.Writes), topicLinks(s.Reads)))
	}
	body := []markup{element("h1", text(c.Title)), table(row("th", "Service", "Writes", "Reads"), services)}
	for _, t := range c.Topics {
		body = append(body, t.html()...)
	}
	return strings.NewReplacer("TITLE", string(text(c.Title)), "BODY", string(joined("\n", body))).Replace(catalogFrame)
}

func topicLinks(topics []string) markup {
	return listed(topics, "nothing", func(t string) markup {
		return element(`a href="#`+text(url.PathEscape(t))+`"`, text(t))
	})
}

func (t catalogTopic) html() []markup {
	owner := []markup{entry("Owner", "not told of here")}
	if t.Owner != "" {
		replicas := markup("as the brokers say")
		if t.Replication != 0 {
			replicas = markup(strconv.Itoa(t.Replication))
		}
		owner = []markup{entry("Owner", text(t.Owner)), entry("Partitions", markup(strconv.Itoa(t.Partitions))), entry("Replicas", replicas)}
	}
	if t.Keys.Key {
		owner = append(owner, entry("Keys", text(string(t.Keys.Encoding)+", "+t.Keys.Subject)))
	}
	for _, name := range slices.Sorted(maps.Keys(t.Config)) {
		owner = append(owner, entry(text(name), text(t.Config[name])))
	}
	parts := []markup{element(`h2 id="`+text(t.Topic)+`"`, text(t.Topic)), block("dl", owner...)}
	for _, e := range t.Events {
		parts = append(parts, e.html())
	}
	return parts
}

func (e catalogEvent) html() markup {
	terms := []markup{
		entry("Written by", listed(e.Writers, "none of these services", text)),
		entry("Read by", listed(e.Readers, "none of these services", text)),
	}
	for _, t := range []struct {
		name  markup
		value string
	}{{"Encoding", e.Encoding}, {"Subject", e.Subject}, {"Versions", e.Versions}, {"No schema", e.Fault}} {
		if t.value != "" {
			terms = append(terms, entry(t.name, text(t.value)))
		}
	}
	parts := []markup{element("h3", text(e.Type)), block("dl", terms...)}
	if len(e.Fields) > 0 {
		parts = append(parts, e.fields())
	}
	if e.Cut {
		parts = append(parts, element("p", "There are more fields: see the schema."))
	}
	if e.Schema != "" {
		parts = append(parts, details("Schema", e.Schema))
	}
	for _, i := range e.Imports {
		parts = append(parts, details("Schema of "+text(i.Name), i.Schema))
	}
	return block(`section class="event"`, parts...)
}

func (e catalogEvent) fields() markup {
	var rows []markup
	for _, f := range e.Fields {
		rows = append(rows, row("td", element("code", text(f.Path)), text(f.Type), text(f.Note), text(f.Doc)))
	}
	return table(row("th", "Field", "Type", "", "What"), rows)
}

func details(title markup, schema string) markup {
	return element("details", element("summary", title), element("pre", text(schema)))
}
