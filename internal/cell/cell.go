// Package cell makes text safe for the cells of a csv file that people open in a spreadsheet.
package cell

import "regexp"

// A spreadsheet takes a cell for a formula if it begins with =, +, - or @, even full-width ones and even after blanks. A spreadsheet that
// expects another separator than the comma begins a cell after each semicolon, tab or line end. Some drop a leading tab or line end.
const (
	blanks = `[\x00-\x08\x0b\x0c\x0e-\x20\x7f-\x{a0}\x{ad}\x{1680}\x{180e}\x{2000}-\x{200f}\x{2028}-\x{202f}\x{205f}-\x{206f}\x{3000}\x{feff}]`
	sign   = `[=+\-@\x{ff1d}\x{ff0b}\x{ff0d}\x{ff20}]`
)

var (
	formula       = regexp.MustCompile(`(^|[;\t\r\n])('*` + blanks + `*` + sign + `)`)
	quotedFormula = regexp.MustCompile(`(^|[;\t\r\n])'('*` + blanks + `*` + sign + `)`)
	start         = regexp.MustCompile(`^('*[\t\r\n])`)
	quotedStart   = regexp.MustCompile(`^'('*[\t\r\n])`)
)

// Quote puts an apostrophe in front of anything that could be a formula. Spreadsheets take what follows an apostrophe for text.
func Quote(text string) string {
	return start.ReplaceAllString(formula.ReplaceAllString(text, `${1}'${2}`), `'${1}`)
}

// Unquote undoes Quote. It leaves text alone that Quote did not write.
func Unquote(text string) string {
	return quotedFormula.ReplaceAllString(quotedStart.ReplaceAllString(text, `${1}`), `${1}${2}`)
}
