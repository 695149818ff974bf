package template

// Bounds of what stays of a JSON object.
const (
	maxDepth = 3  // of objects in objects
	maxKeys  = 32 // of an object
)

// isObject says whether s begins with an object that has a key, as JSON or Python writes it.
func isObject(s string) bool {
	if s == "" || s[0] != '{' {
		return false
	}
	_, n := jsonKey(s[skipSpaces(s, 1):])
	return n > 0
}

// object appends the shape of the object at the start of s to buf, at most to the length limit, and gives what the object takes of s. Its keys
// stay, and each has a value. A key that is itself a value, as in {"10.0.0.1": 3}, does not stay: one value stands for all of these, at the end.
// The rest of an object may be cut off. What is no JSON ends it.
func object(buf []byte, s string, depth, limit int) ([]byte, int) {
	buf = append(buf, '{')
	keys, others, i := 0, false, 1
	for {
		i = skipSpaces(s, i)
		key, n := jsonKey(s[i:])
		if n == 0 {
			break
		}
		i = skipSpaces(s, i+n)
		if keys == maxKeys || len(buf) >= limit || !isName(key) {
			others = true
			i += jsonValue(s[i:])
		} else {
			if keys++; keys > 1 {
				buf = append(buf, ',')
			}
			buf = append(append(append(buf, '"'), key...), '"', ':')
			if depth < maxDepth && isObject(s[i:]) {
				buf, n = object(buf, s[i:], depth+1, limit)
			} else {
				buf, n = append(buf, wild), jsonValue(s[i:])
			}
			i += n
		}
		i = skipSpaces(s, i)
		if i < len(s) && s[i] == ',' {
			i++
		}
	}
	if others && keys > 0 {
		buf = append(buf, ',')
	}
	if others {
		buf = append(buf, wild)
	}
	if i < len(s) && s[i] == '}' {
		i++
	}
	return append(buf, '}'), i
}

// array does so for an array of objects: the first stands for all of them.
func array(buf []byte, s string, limit int) ([]byte, int) {
	buf, _ = object(append(buf, '['), s[skipSpaces(s, 1):], 1, limit)
	return append(buf, ']'), jsonValue(s)
}

func isArray(s string) bool {
	return s[0] == '[' && isObject(s[skipSpaces(s, 1):])
}

// jsonKey gives the key at the start of s, and its length with quotation marks and colon; 0 if there is none.
func jsonKey(s string) (key string, n int) {
	if s == "" || s[0] != '"' && s[0] != '\'' {
		return "", 0
	}
	end := quoted(s[:min(len(s), maxWord+2)])
	i := skipSpaces(s, end)
	if s[end-1] != s[0] || i == len(s) || s[i] != ':' {
		return "", 0
	}
	return s[1 : end-1], i + 1
}

// isName says whether a key may stand in a name.
func isName(key string) bool {
	return key != "" && runEnd(key, 0) == len(key) && isText(key) && !isValue(key) && !isPath(key) && !isMixedValue(key)
}

// jsonValue gives the length of the value at the start of s.
func jsonValue(s string) int {
	open := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '"', '\'':
			i += quoted(s[i:]) - 1
		case '{', '[':
			open++
			continue
		case '}', ']':
			if open == 0 {
				return i
			}
			open--
		case ',':
			if open == 0 {
				return i
			}
			continue
		default:
			continue
		}
		if open == 0 {
			return i + 1
		}
	}
	return len(s)
}

// quoted gives the length of the text at the start of s up to the quotation mark that ends it.
func quoted(s string) int {
	for i := 1; i < len(s); i++ {
		if s[i] == '\\' {
			i++
		} else if s[i] == s[0] {
			return i + 1
		}
	}
	return len(s)
}

func skipSpaces(s string, i int) int {
	for i < len(s) && kinds[s[i]] == space {
		i++
	}
	return i
}
