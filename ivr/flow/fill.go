package flow

import (
	"fmt"
	"strings"
)

// Fill puts variables into a text: {name}, or {name.field.field} inside JSON,
// each through escape. What does not exist becomes empty.
func Fill(text string, vars map[string]any, escape func(string) string) string {
	var out strings.Builder
	for {
		before, rest, open := strings.Cut(text, "{")
		out.WriteString(before)
		name, after, closed := strings.Cut(rest, "}")
		if !open || !closed {
			if open {
				out.WriteString("{" + rest)
			}
			return out.String()
		}
		out.WriteString(escape(lookUp(vars, name)))
		text = after
	}
}

func lookUp(vars map[string]any, path string) string {
	var at any = vars
	for _, name := range strings.Split(path, ".") {
		table, ok := at.(map[string]any)
		if !ok {
			return ""
		}
		at = table[name]
	}
	switch v := at.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	return fmt.Sprint(at)
}
