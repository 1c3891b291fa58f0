package door

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	mssql "github.com/microsoft/go-mssqldb"
	"github.com/microsoft/go-mssqldb/msdsn"
	ora "github.com/sijms/go-ora/v2"
)

const (
	// limit is how long one operation on the database may take.
	limit = 5 * time.Second
	// lockWait is how long the database itself waits for a row that somebody
	// else holds.
	lockWait = time.Second
)

// dialect is what databases do not agree on.
type dialect struct {
	quote   [2]string
	upper   bool               // names are kept in upper case
	blank   bool               // the empty text is not NULL
	param   func(n int) string // the n-th, from 1
	text    string             // %s as text
	fetch   string             // behind ORDER BY: at most %d rows
	numbers []string           // types of whole numbers
	walls   []string           // types of times without a zone, which the driver takes for UTC
}

// dialectOf has MariaDB's way where a driver has none of its own.
var dialectOf = map[string]dialect{
	MySQL: {
		quote: [2]string{"`", "`"}, blank: true, param: func(int) string { return "?" },
		text: "CAST(%s AS CHAR)", fetch: " LIMIT %d",
		numbers: []string{"TINYINT", "SMALLINT", "MEDIUMINT", "INT", "BIGINT"},
	},
	Postgres: {
		quote: [2]string{`"`, `"`}, blank: true, param: func(n int) string { return "$" + strconv.Itoa(n) },
		text: "CAST(%s AS TEXT)", fetch: " LIMIT %d", numbers: []string{"INT2", "INT4", "INT8"}, walls: []string{"TIMESTAMP", "DATE"},
	},
	SQLServer: {
		quote: [2]string{"[", "]"}, blank: true, param: func(n int) string { return "@p" + strconv.Itoa(n) },
		text: "CONVERT(NVARCHAR(255), %s)", fetch: " OFFSET 0 ROWS FETCH NEXT %d ROWS ONLY",
		numbers: []string{"TINYINT", "SMALLINT", "INT", "BIGINT"}, walls: []string{"DATETIME", "DATETIME2", "SMALLDATETIME", "DATE"},
	},
	Oracle: {
		quote: [2]string{`"`, `"`}, upper: true, param: func(n int) string { return ":" + strconv.Itoa(n) },
		text: "TO_CHAR(%s)", fetch: " FETCH FIRST %d ROWS ONLY", walls: []string{"DATE", "TimeStampDTY"},
	},
}

// name is an identifier, quoted.
func (d dialect) name(identifier string) string {
	if d.upper {
		identifier = strings.ToUpper(identifier)
	}
	parts := strings.Split(identifier, ".")
	for i, p := range parts {
		parts[i] = d.quote[0] + p + d.quote[1]
	}
	return strings.Join(parts, ".")
}

// statement collects SQL and its arguments.
type statement struct {
	dialect
	strings.Builder
	args []any
}

func (d dialect) statement(parts ...string) *statement {
	s := &statement{dialect: d}
	s.add(parts...)
	return s
}

func (s *statement) add(parts ...string) *statement {
	for _, p := range parts {
		s.WriteString(p)
	}
	return s
}

// arg adds a place for a value.
func (s *statement) arg(v any) *statement {
	s.args = append(s.args, v)
	return s.add(s.param(len(s.args)))
}

// how is how a driver is spoken to.
type how struct {
	example string
	check   func(dsn string) error
	connect func(dsn string, zone *time.Location) (driver.Connector, error)
}

var drivers = map[string]how{
	MySQL: {
		"user:password@tcp(127.0.0.1:3306)/tickets",
		func(dsn string) error { _, err := mysqlConfig(dsn, time.UTC); return err },
		func(dsn string, zone *time.Location) (driver.Connector, error) {
			cfg, err := mysqlConfig(dsn, zone)
			if err != nil {
				return nil, err
			}
			return mysql.NewConnector(cfg)
		},
	},
	Postgres: {
		"postgres://user:password@127.0.0.1:5432/tickets",
		func(dsn string) error { _, err := postgresConfig(dsn); return err },
		func(dsn string, _ *time.Location) (driver.Connector, error) {
			cfg, err := postgresConfig(dsn)
			if err != nil {
				return nil, err
			}
			return stdlib.GetConnector(*cfg, stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error {
				_, err := c.Exec(ctx, fmt.Sprintf("SET lock_timeout = %d", lockWait.Milliseconds()))
				return err
			})), nil
		},
	},
	SQLServer: {
		"sqlserver://user:password@127.0.0.1:1433?database=tickets",
		sqlserverCheck,
		func(dsn string, _ *time.Location) (driver.Connector, error) {
			c, err := mssql.NewConnector(dsn)
			if err == nil {
				c.SessionInitSQL = fmt.Sprintf("SET LOCK_TIMEOUT %d", lockWait.Milliseconds())
			}
			return c, err
		},
	},
	Oracle: {
		"oracle://user:password@127.0.0.1:1521/service",
		func(dsn string) error { _, err := ora.ParseConfig(dsn); return errors.Join(err, notEmpty(dsn)) },
		func(dsn string, _ *time.Location) (driver.Connector, error) { return ora.NewConnector(dsn), nil },
	},
}

var errEmpty = errors.New("is empty")

// sqlserverCheck refuses what the driver would take for the machine's own
// server.
func sqlserverCheck(dsn string) error {
	_, err := msdsn.Parse(dsn)
	if lower := strings.ToLower(dsn); err == nil && !strings.HasPrefix(lower, "sqlserver://") && !strings.Contains(lower, "server=") {
		err = errors.New("names no server")
	}
	return err
}

func notEmpty(dsn string) error {
	if dsn == "" {
		return errEmpty
	}
	return nil
}

// mysqlConfig has times in zone unless the DSN says loc, and counts rows found
// rather than changed.
func mysqlConfig(dsn string, zone *time.Location) (*mysql.Config, error) {
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, err
	}
	if cfg.DBName == "" {
		return nil, errEmpty
	}
	if !strings.Contains(dsn, "loc=") {
		cfg.Loc = zone
	}
	cfg.ParseTime, cfg.ClientFoundRows, cfg.Logger = true, true, &mysql.NopLogger{}
	// One round trip a statement, where the character set allows it.
	cfg.InterpolateParams = cfg.Collation == "" && !strings.Contains(strings.ToLower(dsn), "charset=")
	for _, t := range []*time.Duration{&cfg.Timeout, &cfg.ReadTimeout, &cfg.WriteTimeout} {
		if *t == 0 {
			*t = limit
		}
	}
	if cfg.Params == nil {
		cfg.Params = map[string]string{}
	}
	if cfg.Params["innodb_lock_wait_timeout"] == "" {
		cfg.Params["innodb_lock_wait_timeout"] = strconv.Itoa(int(lockWait.Seconds()))
	}
	return cfg, nil
}

func postgresConfig(dsn string) (*pgx.ConnConfig, error) {
	if dsn == "" {
		return nil, errEmpty
	}
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = limit
	}
	return cfg, nil
}

// open makes the database's side of a door. It does not connect.
func open(cfg Config) (*tables, error) {
	cfg = cfg.withDefaults()
	c, err := drivers[cfg.Driver].connect(cfg.DSN, cfg.Zone)
	if err != nil {
		return nil, errors.New("dsn: cannot be used") // its words may hold the password
	}
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(2)
	db.SetConnMaxIdleTime(time.Minute)
	return &tables{db: db, dialect: dialectOf[cfg.Driver], door: cfg.Name, out: cfg.Outbox, in: cfg.Inbox, zone: cfg.Zone, chunk: pageSize}, nil
}
