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

// shortestSecret is the length from which on a secret is hidden: single letters would be found everywhere.
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

// ofUser gives the password, and the form that it has in a request.
func ofUser(username, password string) []string {
	return []string{password, base64.StdEncoding.EncodeToString([]byte(username + ":" + password))}
}

// ofKey gives an API key, its decoded form, and the secret part of that.
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

// hide gives an error that is safe to log: on one line, shortened, and without credentials that a server sent back.
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

// withoutCredentials removes user, password and query from a URL, even from an invalid one.
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
