package config

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/goccy/go-yaml"

	"callbox/storage"
)

// Export writes a site as the YAML that LoadSite reads: hashes instead of
// passwords, every section.
func Export(s storage.Site) ([]byte, error) {
	flows, err := plain(s.Flows)
	if err != nil {
		return nil, fmt.Errorf("export flows: %w", err)
	}
	calendars, err := plain(s.Calendars)
	if err != nil {
		return nil, fmt.Errorf("export calendars: %w", err)
	}
	customers, err := plain(s.Customers)
	if err != nil {
		return nil, fmt.Errorf("export customers: %w", err)
	}
	templates, err := plain(s.Templates)
	if err != nil {
		return nil, fmt.Errorf("export templates: %w", err)
	}
	sections := yaml.MapSlice{
		{Key: "agents", Value: s.Agents},
		{Key: "queues", Value: s.Queues},
		{Key: "routes", Value: s.Routes},
		{Key: "flows", Value: flows},
		{Key: "calendars", Value: calendars},
		{Key: "customers", Value: customers},
		{Key: "templates", Value: templates},
	}
	if s.Desk != nil { // else what holds without settings
		sections = append(sections, yaml.MapItem{Key: "desk", Value: *s.Desk})
	}
	text, err := yaml.Marshal(sections)
	if err != nil {
		return nil, fmt.Errorf("export site: %w", err)
	}
	return text, nil
}

// plain is v as its JSON says, in the types that YAML writes well.
func plain[T any](v []T) (any, error) {
	raw, err := json.Marshal(append([]T{}, v...))
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var free any
	if err := dec.Decode(&free); err != nil {
		return nil, err
	}
	return numbers(free), nil
}

// numbers turns JSON's numbers into Go's, whole ones into integers.
func numbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			v[k] = numbers(inner)
		}
	case []any:
		for i, inner := range v {
			v[i] = numbers(inner)
		}
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64() // JSON has no other numbers
		return f
	}
	return v
}
