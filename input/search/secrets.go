package search

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"connect-deepcase/internal/excerpt"
)

// secrets are the credentials that must not reach a log.
type secrets struct{ replacer *strings.Replacer }

// shortestSecret is left in texts if it is shorter: single letters would be found everywhere.
const shortestSecret = 3

func newSecrets(values ...string) secrets {
	var forms []string
	for _, v := range values {
		quoted, _ := json.Marshal(v)
		for _, form := range []string{v, url.QueryEscape(v), url.PathEscape(v), (&url.URL{Path: v}).EscapedPath(), string(quoted[1 : len(quoted)-1])} {
			if len(form) >= shortestSecret {
				forms = append(forms, form)
			}
		}
	}
	slices.SortStableFunc(forms, func(a, b string) int { return cmp.Compare(len(b), len(a)) }) // whole ones before parts of them
	var pairs []string
	for _, f := range forms {
		pairs = append(pairs, f, "[hidden]")
	}
	return secrets{strings.NewReplacer(pairs...)}
}

// ofUser are a password and its form in a request.
func ofUser(username, password string) []string {
	return []string{password, base64.StdEncoding.EncodeToString([]byte(username + ":" + password))}
}

// ofKey are an API key and the id and key that it consists of.
func ofKey(key string) []string {
	decoded, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		return []string{key}
	}
	_, secret, _ := strings.Cut(string(decoded), ":")
	return []string{key, string(decoded), secret}
}

const (
	longestError = 1000    // bytes of an error that are shown
	longestText  = 1 << 16 // bytes of it that are looked at
)

// hide gives an error that can be shown: without credentials that a server sent back, on one line, and not longer than a log can bear.
func (s secrets) hide(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s.replacer.Replace(text[:min(len(text), longestText)]))
	text = excerpt.Of(text, longestError)
	if text == err.Error() {
		return err
	}
	return &shown{text, err}
}

type shown struct {
	text string
	err  error
}

func (s *shown) Error() string { return s.text }
func (s *shown) Unwrap() error { return s.err }

// withoutCredentials is a URL, or what was meant to be one, without what may be secret: user, password and query.
func withoutCredentials(u string) string {
	if at := strings.LastIndexByte(u, '@'); at >= 0 {
		scheme, _, found := strings.Cut(u[:at], "://")
		if !found {
			scheme = "…"
		}
		u = scheme + "://…" + u[at:]
	}
	if end := strings.IndexAny(u, "?#"); end >= 0 {
		u = u[:end] + "…"
	}
	return u
}
