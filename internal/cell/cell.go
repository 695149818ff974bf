// Package cell makes text safe for the cells of a csv file that people open in a spreadsheet.
package cell

import "regexp"

// A spreadsheet takes a cell for a formula that begins with =, +, - or @, also full-width ones, and also after blanks. One that expects
// another separator than the comma begins a cell after each semicolon, tab and line end. Some drop a tab or a line end at the beginning.
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

// Quote puts an apostrophe where a formula could begin: spreadsheets take what follows it for text.
func Quote(text string) string {
	return start.ReplaceAllString(formula.ReplaceAllString(text, `${1}'${2}`), `'${1}`)
}

// Unquote is the text that was quoted. It leaves text alone in which Quote would not have put an apostrophe.
func Unquote(text string) string {
	return quotedFormula.ReplaceAllString(quotedStart.ReplaceAllString(text, `${1}`), `${1}${2}`)
}
