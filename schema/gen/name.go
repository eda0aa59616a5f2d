package gen

import (
	"regexp"
	"strings"
	"sync"
	"unicode"
)

// initialisms are written in capitals.
var initialisms = map[string]bool{
	"api": true, "ascii": true, "cpu": true, "css": true, "db": true, "dns": true, "eof": true, "guid": true, "html": true,
	"http": true, "https": true, "iban": true, "id": true, "ip": true, "json": true, "sku": true, "sql": true, "ssh": true,
	"tcp": true, "tls": true, "ttl": true, "udp": true, "uri": true, "url": true, "utc": true, "uuid": true, "vat": true, "xml": true,
}

// goName is an exported name for what a schema calls so: order_id and orderId are OrderID.
func goName(s string) string {
	var b strings.Builder
	for _, word := range words(s) {
		if initialisms[strings.ToLower(word)] {
			b.WriteString(strings.ToUpper(word))
			continue
		}
		if strings.ToUpper(word) == word {
			word = strings.ToLower(word)
		}
		runes := []rune(word)
		b.WriteString(string(unicode.ToUpper(runes[0])) + string(runes[1:]))
	}
	name := b.String()
	if name == "" || !unicode.IsUpper([]rune(name)[0]) {
		name = "X" + name
	}
	return name
}

// words splits at what is no letter or digit, and before a capital behind a small letter.
func words(s string) (all []string) {
	var word []rune
	end := func() {
		if len(word) > 0 {
			all = append(all, string(word))
		}
		word = nil
	}
	for _, r := range s {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			end()
			continue
		}
		if len(word) > 0 && unicode.IsUpper(r) && unicode.IsLower(word[len(word)-1]) {
			end()
		}
		word = append(word, r)
	}
	end()
	return all
}

var versionWord = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^v[0-9]+$`) })

// eventName is the Go name of an event: shop.order.placed.v1 is OrderPlaced, v2 of it OrderPlacedV2.
func eventName(full string) string {
	steps := strings.Split(full, ".")
	last := steps[len(steps)-1]
	if len(steps) == 1 || !versionWord().MatchString(last) {
		return goName(last)
	}
	steps = steps[max(0, len(steps)-3) : len(steps)-1]
	name := ""
	for _, s := range steps {
		name += goName(s)
	}
	if last != "v1" {
		name += strings.ToUpper(last)
	}
	return name
}
