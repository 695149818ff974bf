package gate

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	shortestToken = 16
	looked        = time.Second // how often the file of tokens is looked at
	largestFile   = 1 << 20
)

// holder is a person with the hash of the token.
type holder struct {
	Person
	hash [sha256.Size]byte
}

// tokens are those of a file, which is read again when it has changed.
type tokens struct {
	path string
	log  func(format string, arguments ...any)

	mu      sync.Mutex
	holders []holder
	read    os.FileInfo
	next    time.Time // when to look again
	failed  string    // the last error that was logged
}

func openTokens(path string, log func(string, ...any)) (*tokens, error) {
	t := &tokens{path: path, log: log}
	if err := t.load(); err != nil {
		return nil, fmt.Errorf("tokens: %w", err)
	}
	return t, nil
}

func (t *tokens) load() error {
	f, err := os.Open(t.path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() > largestFile {
		return fmt.Errorf("%s has %d bytes, need at most %d", t.path, info.Size(), largestFile)
	}
	content := make([]byte, info.Size())
	n, err := f.ReadAt(content, 0)
	if n < len(content) {
		return fmt.Errorf("%s: %w", t.path, err)
	}
	holders, err := parseTokens(content)
	if err != nil {
		return fmt.Errorf("%s: %w", t.path, err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o007 != 0 {
		return fmt.Errorf("%s can be read or changed by every user of this machine: need chmod 600 or, for a group, chmod 640", t.path)
	}
	t.holders, t.read = holders, info
	return nil
}

// parseTokens reads lines of a name, a role and a token. Blank lines, and those that begin with #, are left out.
func parseTokens(content []byte) (holders []holder, err error) {
	lines := bufio.NewScanner(bytes.NewReader(content))
	for n := 1; lines.Scan(); n++ {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		// Errors show no word of the line: with the words in another order, it could be the token.
		switch {
		case len(fields) != 3:
			return nil, fmt.Errorf("line %d has %d words, need a name, a role and a token", n, len(fields))
		case !validName(fields[0]):
			return nil, fmt.Errorf("line %d: need a name of at most %d bytes, in UTF-8, without characters that do not show", n, longestName)
		case !slices.Contains(roles, fields[1]):
			return nil, fmt.Errorf("line %d: the role is none of read, score, publish", n)
		case len(fields[2]) < shortestToken:
			return nil, fmt.Errorf("line %d: the token has %d characters, need at least %d, such as those of `openssl rand -hex 32`", n, len(fields[2]), shortestToken)
		}
		h := holder{Person{fields[0], fields[1]}, sha256.Sum256([]byte(fields[2]))}
		for _, other := range holders {
			if other.Name == h.Name || other.hash == h.hash {
				return nil, fmt.Errorf("line %d: the name or the token is there twice", n)
			}
		}
		holders = append(holders, h)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(holders) == 0 {
		return nil, errors.New("there is no token in it: need a line with a name, a role and a token")
	}
	return holders, nil
}

// current are the holders now. If the file cannot be read, those before stay.
func (t *tokens) current() []holder {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := time.Now(); now.After(t.next) {
		t.next = now.Add(looked)
		info, err := os.Stat(t.path)
		if err == nil && !(os.SameFile(info, t.read) && info.ModTime().Equal(t.read.ModTime()) && info.Size() == t.read.Size()) {
			err = t.load()
		}
		switch {
		case err == nil:
			t.failed = ""
		case t.failed != err.Error():
			t.failed = err.Error()
			t.log("The tokens cannot be read, and those that were read before stay: %v", err)
		}
	}
	return t.holders
}

// byToken finds the holder of a token, in the same time for every token.
func (t *tokens) byToken(token string) (found holder, ok bool) {
	hash := sha256.Sum256([]byte(strings.TrimSpace(token)))
	for _, h := range t.current() {
		if subtle.ConstantTimeCompare(h.hash[:], hash[:]) == 1 {
			found, ok = h, true
		}
	}
	return found, ok
}

func (t *tokens) byName(name string) (holder, bool) {
	for _, h := range t.current() {
		if h.Name == name {
			return h, true
		}
	}
	return holder{}, false
}
