package config

import (
	"bytes"
	"encoding"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// document is a YAML file decoded strictly: unknown keys and wrong values are
// faults at their place, all of them, and every key's place is known by its
// path (sip.trunks[0].from) for the checks that follow.
type document struct {
	file   string
	places map[string]*token.Position
	faults Faults
}

// decode fills into (a pointer to a struct that holds the defaults) from src.
func decode(file string, src []byte, into any) *document {
	d := &document{file: file, places: map[string]*token.Position{}}
	src = bytes.TrimPrefix(src, []byte("\ufeff")) // as Windows editors begin a file
	if f, bad := notUTF8(file, src); bad {
		d.faults = append(d.faults, f)
		return d
	}
	parsed, err := parser.ParseBytes(src, 0)
	if err != nil {
		d.faults = append(d.faults, syntaxFault(file, err))
		return d
	}
	for i, doc := range parsed.Docs {
		if i > 0 {
			d.fault("", doc.Start, "one document only")
			break
		}
		if doc.Body != nil {
			d.value("", doc.Body, reflect.ValueOf(into).Elem())
		}
	}
	return d
}

// notUTF8 finds the first place where a file is in another encoding, such as
// GBK: what stands there would go out garbled.
func notUTF8(file string, src []byte) (Fault, bool) {
	line := 0
	for text := range bytes.Lines(src) {
		line++
		for column := 1; len(text) > 0; column++ {
			r, size := utf8.DecodeRune(text)
			if r == utf8.RuneError && size == 1 {
				return Fault{File: file, Line: line, Column: column, Text: "is not UTF-8: save the file as UTF-8"}, true
			}
			text = text[size:]
		}
	}
	return Fault{}, false
}

var syntaxPlace = regexp.MustCompile(`^\[(\d+):(\d+)\] (.*)`)

// syntaxFault takes place and words out of the parser's error text.
func syntaxFault(file string, err error) Fault {
	f := Fault{File: file, Text: err.Error()}
	first, _, _ := strings.Cut(err.Error(), "\n")
	if m := syntaxPlace.FindStringSubmatch(first); m != nil {
		f.Line, _ = strconv.Atoi(m[1])
		f.Column, _ = strconv.Atoi(m[2])
		f.Text = m[3]
	}
	return f
}

func (d *document) fault(path string, at *token.Token, format string, args ...any) {
	f := Fault{File: d.file, Key: path, Text: fmt.Sprintf(format, args...)}
	if at != nil && at.Position != nil {
		f.Line, f.Column = at.Position.Line, at.Position.Column
	}
	d.faults = append(d.faults, f)
}

// reject adds a fault for the value at path, or at the nearest key above it.
func (d *document) reject(path, format string, args ...any) {
	f := Fault{File: d.file, Key: path, Text: fmt.Sprintf(format, args...)}
	for at := path; ; at = parent(at) {
		if pos, ok := d.places[at]; ok {
			f.Line, f.Column = pos.Line, pos.Column
			break
		}
		if at == "" {
			break
		}
	}
	d.faults = append(d.faults, f)
}

func parent(path string) string {
	return path[:max(0, strings.LastIndexAny(path, ".["))]
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// value decodes node into v.
func (d *document) value(path string, node ast.Node, v reflect.Value) {
	node = bare(node)
	if pos := node.GetToken(); pos != nil {
		if _, known := d.places[path]; !known {
			d.places[path] = pos.Position
		}
	}
	if _, ok := node.(*ast.NullNode); ok {
		return
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch {
	case v.Type() == reflect.TypeFor[ast.Node]():
		v.Set(reflect.ValueOf(node))
	case v.Kind() == reflect.Int64 && v.Type().Name() == "Duration":
		d.duration(path, node, v)
	case v.CanAddr() && v.Addr().Type().Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		d.text(path, node, v)
	default:
		d.plain(path, node, v)
	}
}

func (d *document) plain(path string, node ast.Node, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		d.mapping(path, node, v)
	case reflect.Slice:
		d.list(path, node, v)
	case reflect.Map:
		d.table(path, node, v)
	case reflect.Interface:
		d.anything(path, node, v)
	default:
		d.scalar(path, node, v)
	}
}

// bare takes anchors and tags off.
func bare(node ast.Node) ast.Node {
	for {
		switch n := node.(type) {
		case *ast.AnchorNode:
			node = n.Value
		case *ast.TagNode:
			node = n.Value
		default:
			return whole(node)
		}
	}
}

// whole mends what the parser cuts in two inside nested brackets: a colon with
// nothing behind it, as in udp://127.0.0.1:5060, belongs to a plain word (YAML
// 1.2 §7.3.3).
func whole(node ast.Node) ast.Node {
	pairs, ok := entries(node)
	if !ok || len(pairs) != 1 {
		return node
	}
	pair := pairs[0]
	rest := whole(pair.Value) // 10:00-11:00 has two
	key, value := pair.Key.GetToken(), rest.GetToken()
	_, one := rest.(ast.ScalarNode)
	if !one || quoted(key) || pair.Start.Position.Line != value.Position.Line || pair.Start.Position.Column+1 != value.Position.Column {
		return node
	}
	word := *key
	word.Value += ":" + value.Value
	return ast.String(&word)
}

func quoted(t *token.Token) bool {
	return t.Type == token.SingleQuoteType || t.Type == token.DoubleQuoteType
}

func entries(node ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := node.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

func (d *document) mapping(path string, node ast.Node, v reflect.Value) {
	values, ok := entries(node)
	if !ok {
		d.fault(path, node.GetToken(), "wants keys with values, not %s", kind(node))
		return
	}
	fields := fieldsOf(v)
	seen := map[string]bool{}
	for _, entry := range values {
		key := keyText(entry)
		at := join(path, key)
		d.places[at] = entry.Key.GetToken().Position
		if seen[key] {
			d.fault(at, entry.Key.GetToken(), "is given twice")
		}
		seen[key] = true
		d.field(path, key, entry, fields)
	}
	for name := range secrets {
		if seen[name] && seen[name+"_file"] {
			d.reject(join(path, name+"_file"), "stands beside %s: give one of them", name)
		}
	}
}

func (d *document) field(path, key string, entry *ast.MappingValueNode, fields map[string]reflect.Value) {
	at := join(path, key)
	if f, ok := fields[key]; ok {
		d.value(at, entry.Value, f)
		return
	}
	secret, isFile := strings.CutSuffix(key, "_file")
	if f, ok := fields[secret]; ok && isFile && secrets[secret] {
		d.secretFile(at, entry, f)
		return
	}
	d.fault(at, entry.Key.GetToken(), "is no key of this section")
}

// secrets are the keys that may be given as a file, by KEY_file.
var secrets = map[string]bool{"password": true, "secret": true, "sip_password": true, "dsn": true}

// secretFile reads a secret from the file named, relative to this one.
func (d *document) secretFile(path string, entry *ast.MappingValueNode, v reflect.Value) {
	var name string
	d.value(path, entry.Value, reflect.ValueOf(&name).Elem())
	if name == "" {
		return
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(filepath.Dir(d.file), name)
	}
	content, err := os.ReadFile(name)
	if err != nil {
		d.fault(path, entry.Value.GetToken(), "%v", err)
		return
	}
	v.SetString(strings.TrimSpace(string(content)))
}

// fieldsOf are v's fields by their YAML keys, inlined ones included.
func fieldsOf(v reflect.Value) map[string]reflect.Value {
	fields := map[string]reflect.Value{}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case name == "-" || !f.IsExported():
		case options == "inline":
			for k, inner := range fieldsOf(v.Field(i)) {
				fields[k] = inner
			}
		default:
			if name == "" {
				name = strings.ToLower(f.Name)
			}
			fields[name] = v.Field(i)
		}
	}
	return fields
}

func (d *document) list(path string, node ast.Node, v reflect.Value) {
	seq, ok := node.(*ast.SequenceNode)
	if !ok {
		d.fault(path, node.GetToken(), "wants a list, not %s", kind(node))
		return
	}
	out := reflect.MakeSlice(v.Type(), len(seq.Values), len(seq.Values))
	for i, item := range seq.Values {
		d.value(fmt.Sprintf("%s[%d]", path, i), item, out.Index(i))
	}
	v.Set(out)
}

func (d *document) table(path string, node ast.Node, v reflect.Value) {
	values, ok := entries(node)
	if !ok {
		d.fault(path, node.GetToken(), "wants keys with values, not %s", kind(node))
		return
	}
	out := reflect.MakeMap(v.Type())
	for _, entry := range values {
		item := reflect.New(v.Type().Elem()).Elem()
		d.value(join(path, keyText(entry)), entry.Value, item)
		out.SetMapIndex(reflect.ValueOf(keyText(entry)).Convert(v.Type().Key()), item)
	}
	v.Set(out)
}

func keyText(entry *ast.MappingValueNode) string {
	if s, ok := entry.Key.(*ast.StringNode); ok {
		return s.Value
	}
	return strings.Trim(entry.Key.GetToken().Value, `"'`)
}

// switchable are the durations that are switched off by a negative value.
var switchable = map[string]bool{"session_timer": true, "keepalive": true, "health": true, "notice": true, "hangup": true}

func (d *document) duration(path string, node ast.Node, v reflect.Value) {
	text, ok := d.words(path, node)
	if !ok {
		return
	}
	limit, err := time.ParseDuration(text)
	if err != nil || limit < 0 && !switchable[path[strings.LastIndexByte(path, '.')+1:]] {
		d.fault(path, node.GetToken(), "%q is no duration such as 20s or 5m", text)
		return
	}
	v.SetInt(int64(limit))
}

func (d *document) text(path string, node ast.Node, v reflect.Value) {
	text, ok := d.words(path, node)
	if !ok {
		return
	}
	if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text)); err != nil {
		d.fault(path, node.GetToken(), "%v", err)
	}
}

var variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// words is a scalar's text with ${ENV_NAME} filled in.
func (d *document) words(path string, node ast.Node) (string, bool) {
	text, ok := scalarText(node)
	if !ok {
		d.fault(path, node.GetToken(), "wants one value, not %s", kind(node))
		return "", false
	}
	text = variable.ReplaceAllStringFunc(text, func(name string) string {
		name = name[2 : len(name)-1]
		value, set := os.LookupEnv(name)
		if !set {
			d.fault(path, node.GetToken(), "the environment has no %s", name)
		}
		return value
	})
	return text, true
}

func scalarText(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case ast.ScalarNode:
		return n.GetToken().Value, true
	}
	return "", false
}

func (d *document) scalar(path string, node ast.Node, v reflect.Value) {
	text, ok := d.words(path, node)
	if !ok {
		return
	}
	if err := setScalar(v, text); err != nil {
		d.fault(path, node.GetToken(), "%v", err)
	}
}

func setScalar(v reflect.Value, text string) error {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return fmt.Errorf("%q is no whole number", text)
		}
		v.SetInt(n)
	case reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return fmt.Errorf("%q is no number", text)
		}
		v.SetFloat(f)
	default:
		return fmt.Errorf("a %v cannot stand in a file", v.Kind())
	}
	return nil
}

// anything decodes free data: strings, numbers, booleans, lists, tables.
func (d *document) anything(path string, node ast.Node, v reflect.Value) {
	var free any
	switch n := node.(type) {
	case *ast.SequenceNode:
		var list []any
		d.list(path, n, reflect.ValueOf(&list).Elem())
		free = list
	case *ast.MappingNode, *ast.MappingValueNode:
		var table map[string]any
		d.table(path, n, reflect.ValueOf(&table).Elem())
		free = table
	case *ast.BoolNode:
		free = n.Value
	case *ast.IntegerNode:
		free = n.Value
	case *ast.FloatNode:
		free = n.Value
	default:
		free, _ = d.words(path, node)
	}
	v.Set(reflect.ValueOf(free))
}

func kind(node ast.Node) string {
	switch node.(type) {
	case *ast.SequenceNode:
		return "a list"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "keys with values"
	}
	return "one value"
}
