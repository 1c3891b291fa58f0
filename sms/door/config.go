package door

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"callbox/sms"
)

// Config is one door as callbox.yaml has it. Zone, which the file gives for the
// whole box, is that of columns that know none; nil is UTC.
type Config struct {
	Name   string        `yaml:"name"`
	Driver string        `yaml:"driver"`
	DSN    string        `yaml:"dsn"`
	Every  time.Duration `yaml:"every"` // between two looks; 0: a second
	Outbox Outbox        `yaml:"outbox"`
	Inbox  Inbox         `yaml:"inbox"`

	Zone *time.Location `yaml:"-"`
}

// Outbox names the outbox table and its columns; empty: there is no such
// column.
type Outbox struct {
	Table     string `yaml:"table"`
	ID        string `yaml:"id"`
	To        string `yaml:"to"`
	Text      string `yaml:"text"`
	Template  string `yaml:"template"`
	Vars      string `yaml:"vars"` // a JSON object
	Account   string `yaml:"account"`
	Class     string `yaml:"class"`
	SendAt    string `yaml:"send_at"`
	Ref       string `yaml:"ref"`
	Status    string `yaml:"status"`
	Error     string `yaml:"error"`
	Changed   string `yaml:"changed"`
	Sent      string `yaml:"sent"`
	Delivered string `yaml:"delivered"`
	Message   string `yaml:"message"` // callbox's id of the message
	Parts     string `yaml:"parts"`
	ClaimedBy string `yaml:"claimed_by"` // the door's name: for boxes that share a table

	// Values are what the status column holds in the place of callbox's words.
	Values map[string]string `yaml:"values"`
}

// Inbox names the inbox table and its columns.
type Inbox struct {
	Table   string `yaml:"table"`
	ID      string `yaml:"id"` // callbox's id of the text: no row comes twice
	From    string `yaml:"from"`
	To      string `yaml:"to"`
	Text    string `yaml:"text"`
	Time    string `yaml:"time"`
	Ref     string `yaml:"ref"`
	Job     string `yaml:"job"`
	Keyword string `yaml:"keyword"`
	Account string `yaml:"account"`
}

// Drivers.
const (
	MySQL     = "mysql" // and MariaDB
	Postgres  = "postgres"
	SQLServer = "sqlserver"
	Oracle    = "oracle"
)

// Words of the status column that are the door's own.
const (
	wordNew     = "new" // as are NULL and the empty text
	wordClaimed = "claimed"
)

var statusWords = []string{
	wordNew, wordClaimed, string(sms.Scheduled), string(sms.Queued), string(sms.Submitted), string(sms.Delivered),
	string(sms.Failed), string(sms.Expired), string(sms.Unknown), string(sms.Canceled),
}

// Limits of every.
const (
	defaultEvery = time.Second
	oftenest     = 100 * time.Millisecond
	seldomest    = time.Hour
)

func (c Config) withDefaults() Config {
	if c.Every == 0 {
		c.Every = defaultEvery
	}
	if c.Zone == nil {
		c.Zone = time.UTC
	}
	return c
}

// Validate gives all faults, each beginning with its key. It does not connect.
func (c Config) Validate() error {
	c = c.withDefaults()
	var faults []error
	fault := func(key, format string, args ...any) {
		faults = append(faults, fmt.Errorf(key+": "+format, args...))
	}
	if c.Name == "" || strings.Trim(c.Name, nameRunes) != "" || len(c.Name) > 32 {
		fault("name", "%q is not 1 to 32 of letters, digits, - and _", c.Name)
	}
	if c.Every < oftenest || c.Every > seldomest {
		fault("every", "%v is not from %v to %v", c.Every, oftenest, seldomest)
	}
	if how, ok := drivers[c.Driver]; !ok {
		fault("driver", "%q is none of mysql, postgres, sqlserver, oracle", c.Driver)
	} else if err := how.check(c.DSN); err != nil {
		// the words of a parser may hold the password
		fault("dsn", "is none for %s, such as %s", c.Driver, how.example)
	}
	if c.Outbox.Table == "" && c.Inbox.Table == "" {
		fault("outbox", "wants table; a door has an outbox, an inbox or both")
	}
	c.Outbox.check(fault)
	c.Inbox.check(fault)
	return errors.Join(faults...)
}

const nameRunes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

type faultFunc func(key, format string, args ...any)

// named is one key of a section and what it names.
type named struct {
	key, name string
	needed    bool
}

func (o Outbox) columns() []named {
	return []named{
		{"id", o.ID, true},
		{"to", o.To, true},
		{"status", o.Status, true},
		{"text", o.Text, o.Template == ""},
		{"template", o.Template, false},
		{"vars", o.Vars, false},
		{"account", o.Account, false},
		{"class", o.Class, false},
		{"send_at", o.SendAt, false},
		{"ref", o.Ref, false},
		{"error", o.Error, false},
		{"changed", o.Changed, false},
		{"sent", o.Sent, false},
		{"delivered", o.Delivered, false},
		{"message", o.Message, false},
		{"parts", o.Parts, false},
		{"claimed_by", o.ClaimedBy, false},
	}
}

func (i Inbox) columns() []named {
	return []named{
		{"from", i.From, true},
		{"text", i.Text, true},
		{"id", i.ID, false},
		{"to", i.To, false},
		{"time", i.Time, false},
		{"ref", i.Ref, false},
		{"job", i.Job, false},
		{"keyword", i.Keyword, false},
		{"account", i.Account, false},
	}
}

func (o Outbox) check(fault faultFunc) {
	checkTable("outbox", o.Table, o.columns(), fault)
	if o.Table == "" && len(o.Values) > 0 {
		fault("outbox.values", "stands without a table")
	}
	for _, word := range slices.Sorted(maps.Keys(o.Values)) {
		value, key := o.Values[word], "outbox.values."+word
		switch {
		case !slices.Contains(statusWords, word):
			fault(key, "is no status; there are %s", strings.Join(statusWords, ", "))
		case len(value) > 64 || !printable(value):
			fault(key, "%q is longer than 64 bytes, or not plain text", value)
		}
	}
	// A row that reads as new because it was written so would be sent for ever.
	for _, word := range statusWords {
		value := o.value(word)
		if word != wordNew && slices.Contains(o.fresh(), value) {
			fault("outbox.values."+word, "%q means new", value)
		}
		if word != wordNew && word != wordClaimed && value == o.value(wordClaimed) {
			fault("outbox.values."+word, "%q means claimed", value)
		}
	}
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, unicode.IsControl)
}

// value is what the status column holds for a word.
func (o Outbox) value(word string) string {
	if v, ok := o.Values[word]; ok {
		return v
	}
	return word
}

// fresh is what the status column holds where a row is new, beside NULL.
func (o Outbox) fresh() []string {
	if v, ok := o.Values[wordNew]; ok {
		return []string{v}
	}
	return []string{"", wordNew}
}

func (i Inbox) check(fault faultFunc) {
	checkTable("inbox", i.Table, i.columns(), fault)
}

// checkTable checks a section's names: each is there once, and an identifier.
func checkTable(section, table string, columns []named, fault faultFunc) {
	if table != "" && !identifier(table, 2) {
		fault(section+".table", "%q is no table name: letters, digits and _, perhaps behind a schema and a dot", table)
	}
	taken := map[string]string{}
	for _, c := range columns {
		key := section + "." + c.key
		switch {
		case c.name == "" && c.needed && table != "":
			fault(key, "is missing: the name of the column")
		case c.name == "":
		case table == "":
			fault(key, "stands without a table")
		case !identifier(c.name, 1):
			fault(key, "%q is no column name: letters, digits and _", c.name)
		case taken[c.name] != "":
			fault(key, "%q is the column of %s", c.name, taken[c.name])
		}
		taken[c.name] = c.key
	}
}

// identifier says whether s is at most so many names with dots between them.
func identifier(s string, most int) bool {
	names := strings.Split(s, ".")
	return len(names) <= most && !slices.ContainsFunc(names, func(name string) bool {
		return name == "" || len(name) > 128 || unicode.IsDigit([]rune(name)[0]) || strings.ContainsFunc(name, func(r rune) bool {
			return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_'
		})
	})
}
