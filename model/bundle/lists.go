package bundle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"

	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder"
)

// The lists of a manifest, which are bounded while they are read.

// names are at most as many as the largest network has, whatever a manifest says.
type names []string

func (n *names) UnmarshalJSON(content []byte) (err error) {
	*n, err = decodeList[string](content, contextbuilder.MaxEvents, "names")
	return err
}

// templates are those of model.Model.
type templates []string

func (t *templates) UnmarshalJSON(content []byte) (err error) {
	if *t, err = decodeList[string](content, model.MaxTemplates, "templates"); err != nil {
		return err
	}
	return checkTemplates(*t)
}

var oneOfTemplates = regexp.MustCompile(`^[0-9a-f]{16}$`)

func checkTemplates(list []string) error {
	for i, one := range list {
		if !oneOfTemplates.MatchString(one) {
			return fmt.Errorf("templates: %.40q, need 16 hexadecimal digits in lower case", one)
		}
		if i > 0 && one <= list[i-1] {
			return fmt.Errorf("templates: %s after %s, need them sorted and distinct", one, list[i-1])
		}
	}
	return nil
}

// decodeList reads a JSON array of up to most values, or null.
func decodeList[T any](content []byte, most int, what string) ([]T, error) {
	if bytes.Count(content, []byte(",")) < most { // no more values than that: the quick way
		var list []T
		if err := json.Unmarshal(content, &list); err == nil {
			return list, nil
		}
	}
	d := json.NewDecoder(bytes.NewReader(content))
	start, err := d.Token()
	if err != nil || start == nil {
		return nil, err
	}
	if start != json.Delim('[') {
		return nil, fmt.Errorf("%s: need an array", what)
	}
	list := []T{}
	for d.More() {
		if len(list) == most {
			return nil, fmt.Errorf("%s: more than %d", what, most)
		}
		var value T
		if err := d.Decode(&value); err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		list = append(list, value)
	}
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("%s: %w", what, io.ErrUnexpectedEOF)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("%s: something follows the array", what)
	}
	return list, nil
}
