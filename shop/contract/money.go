package contract

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Money is an amount in minor units (cents) of its currency.
type Money struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"` // ISO 4217, three capital letters
}

// String is for people: "19.98 EUR".
func (m Money) String() string {
	digits := decimals(m.Currency)
	unit := int64(math.Pow10(digits))
	if digits == 0 {
		return fmt.Sprintf("%d %s", m.Amount, m.Currency)
	}
	sign, whole, rest := "", m.Amount/unit, m.Amount%unit
	if m.Amount < 0 {
		sign, whole, rest = "-", -whole, -rest
	}
	return fmt.Sprintf("%s%d.%0*d %s", sign, whole, digits, rest, m.Currency)
}

// decimals is how many digits a currency's minor unit has, by ISO 4217.
func decimals(currency string) int {
	switch currency {
	case "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF":
		return 0
	case "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND":
		return 3
	}
	return 2
}

// Validate reports an amount below zero or a currency that is none.
func (m Money) Validate() error {
	if m.Amount < 0 {
		return errors.New("amount is negative")
	}
	return ValidCurrency(m.Currency)
}

// ValidCurrency says whether code has the form of an ISO 4217 currency.
func ValidCurrency(code string) error {
	if len(code) != 3 {
		return fmt.Errorf("currency %q is not three capital letters, for example EUR", code)
	}
	for _, c := range []byte(code) {
		if c < 'A' || c > 'Z' {
			return fmt.Errorf("currency %q is not three capital letters, for example EUR", code)
		}
	}
	return nil
}

// Line is a number of pieces of one article.
type Line struct {
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"`
}

// Item is a line with its price.
type Item struct {
	SKU       string `json:"sku"`
	Quantity  int64  `json:"quantity"`
	UnitPrice int64  `json:"unit_price"` // minor units
}

// Bounds of what one order may hold; far above any basket, far below an overflow.
const (
	MaxItems    = 100
	MaxQuantity = 1_000_000
	MaxPrice    = 1_000_000_000_000
)

// Lines are the items without their prices, one line per SKU, in the order of first mention.
func Lines(items []Item) []Line {
	at := make(map[string]int, len(items))
	lines := make([]Line, 0, len(items))
	for _, it := range items {
		i, seen := at[it.SKU]
		if !seen {
			i = len(lines)
			at[it.SKU] = i
			lines = append(lines, Line{SKU: it.SKU})
		}
		lines[i].Quantity += it.Quantity
	}
	return lines
}

// Total is what the items cost together; ok is false where that is more than an int64 holds.
func Total(items []Item, currency string) (total Money, ok bool) {
	total.Currency = currency
	for _, it := range items {
		if it.Quantity < 0 || it.UnitPrice < 0 || it.UnitPrice > 0 && it.Quantity > math.MaxInt64/it.UnitPrice {
			return Money{}, false
		}
		cost := it.Quantity * it.UnitPrice
		if total.Amount > math.MaxInt64-cost {
			return Money{}, false
		}
		total.Amount += cost
	}
	return total, true
}

// maxText bounds ids, names and reasons, in bytes.
const maxText = 128

// ValidText says whether s can be stored and shown: at most 128 bytes of UTF-8 without control
// characters (PostgreSQL takes no NUL, and a log line no line break).
func ValidText(s string) error {
	if len(s) > maxText {
		return fmt.Errorf("is longer than %d bytes", maxText)
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return fmt.Errorf("%q is not plain text", s)
	}
	return nil
}

// ValidSKU says whether sku can name an article: 1 to 128 letters, digits, '.', '_' or '-'.
func ValidSKU(sku string) error {
	if sku == "" || len(sku) > maxText {
		return fmt.Errorf("sku has to have 1 to %d characters", maxText)
	}
	for _, c := range []byte(sku) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
		default:
			return fmt.Errorf("sku %q has %q: letters, digits, '.', '_' and '-' are allowed", sku, c)
		}
	}
	return nil
}

func goods(lines []Line) error {
	if len(lines) == 0 {
		return errors.New("there are no lines")
	}
	if len(lines) > MaxItems {
		return fmt.Errorf("there are more than %d lines", MaxItems)
	}
	for _, l := range lines {
		if err := ValidSKU(l.SKU); err != nil {
			return err
		}
		if l.Quantity <= 0 || l.Quantity > MaxItems*MaxQuantity {
			return fmt.Errorf("quantity of %s is %d", l.SKU, l.Quantity)
		}
	}
	return nil
}
