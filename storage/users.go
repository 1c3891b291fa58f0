package storage

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/alexedwards/argon2id"

	"callbox/acd"
)

// Realm is the SIP realm that all HA1s are made for.
const Realm = "callbox"

// Roles of a user.
const (
	RoleAgent      = "agent"
	RoleSupervisor = "supervisor"
	RoleAdmin      = "admin"
	RoleAuditor    = "auditor"
)

// Agent is a user: who may log in; with an extension, who has a desk. Password
// and SIPPassword are taken and never given; what is empty of the secrets stays
// as it is when the agent is written again.
type Agent struct {
	ID           string         `json:"id" yaml:"id"`
	Name         string         `json:"name" yaml:"name"`
	Role         string         `json:"role" yaml:"role"`
	Password     string         `json:"password,omitempty" yaml:"password,omitempty"`
	PasswordHash string         `json:"password_hash,omitempty" yaml:"password_hash,omitempty"`
	Extension    string         `json:"extension,omitempty" yaml:"extension,omitempty"`
	SIPPassword  string         `json:"sip_password,omitempty" yaml:"sip_password,omitempty"`
	SIPHA1       *HA1           `json:"sip_ha1,omitempty" yaml:"sip_ha1,omitempty"`
	Skills       map[string]int `json:"skills" yaml:"skills,omitempty"`
	Queues       []string       `json:"queues" yaml:"queues,omitempty"`
}

// HA1 are the digests of user, realm and password (RFC 7616 §3.4.2), in
// lower-case hex.
type HA1 struct {
	MD5    string `json:"md5" yaml:"md5"`
	SHA256 string `json:"sha256" yaml:"sha256"`
}

// NewHA1 makes the digests of an extension's password.
func NewHA1(extension, password string) HA1 {
	text := []byte(extension + ":" + Realm + ":" + password)
	m, s := md5.Sum(text), sha256.Sum256(text)
	return HA1{MD5: hex.EncodeToString(m[:]), SHA256: hex.EncodeToString(s[:])}
}

// Public is the agent without secrets, lists never null.
func (a Agent) Public() Agent {
	a.Password, a.PasswordHash, a.SIPPassword, a.SIPHA1 = "", "", "", nil
	if a.Skills == nil {
		a.Skills = map[string]int{}
	}
	if a.Queues == nil {
		a.Queues = []string{}
	}
	return a
}

// Floor is the agent as the floor knows him.
func (a Agent) Floor() acd.Agent {
	return acd.Agent{ID: a.ID, Name: a.Name, Extension: a.Extension, Queues: a.Queues, Skills: a.Skills}
}

// hashing is argon2id's cost (19 MiB, two passes): about 25 ms on one core.
var hashing = &argon2id.Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// HashPassword is argon2id in its text form.
func HashPassword(password string) (string, error) {
	hash, err := argon2id.CreateHash(password, hashing)
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	return hash, nil
}

// CheckPassword says whether hash is password's. Wrong and missing hashes take
// as long as right ones.
func CheckPassword(password, hash string) bool {
	if hash == "" {
		hash = nobody
	}
	ok, err := argon2id.ComparePasswordAndHash(password, hash)
	return ok && err == nil && hash != nobody
}

// nobody is the hash of a password that nobody has.
const nobody = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// settleAgents turns clear text into hashes and fills in the secrets that are
// not given from what there is, outside any transaction: hashing takes its time.
func (d *DB) settleAgents(ctx context.Context, agents []Agent) ([]Agent, error) {
	settled := make([]Agent, 0, len(agents))
	for _, a := range agents {
		was, err := d.User(ctx, a.ID)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		if a, err = a.settle(was); err != nil {
			return nil, fmt.Errorf("agent %s: %w", a.ID, err)
		}
		settled = append(settled, a)
	}
	return settled, nil
}

func (a Agent) settle(was Agent) (Agent, error) {
	if a.Role == "" {
		a.Role = RoleAgent
	}
	if a.SIPPassword != "" {
		ha1 := NewHA1(a.Extension, a.SIPPassword)
		a.SIPHA1 = &ha1
	}
	if a.SIPHA1 == nil && a.Extension == was.Extension {
		a.SIPHA1 = was.SIPHA1
	}
	var err error
	switch {
	case a.Password == "" && a.PasswordHash == "":
		a.PasswordHash = was.PasswordHash
	case a.Password == "":
	case was.PasswordHash != "" && CheckPassword(a.Password, was.PasswordHash):
		a.PasswordHash = was.PasswordHash
	default:
		a.PasswordHash, err = HashPassword(a.Password)
	}
	a.Password, a.SIPPassword = "", ""
	return a, err
}

// replaceAgents makes agents the site's agents. Users who were added otherwise
// and have no extension stay.
func replaceAgents(tx *sql.Tx, agents []Agent) error {
	ids := make([]string, 0, len(agents))
	for _, a := range agents {
		ids = append(ids, a.ID)
	}
	if _, err := tx.Exec("DELETE FROM users WHERE listed = 1 AND id NOT IN (SELECT value FROM json_each(?))", encode(ids)); err != nil {
		return err
	}
	if _, err := tx.Exec("UPDATE users SET extension = NULL WHERE listed = 1"); err != nil { // they may have been swapped
		return err
	}
	for _, a := range agents {
		if err := putUser(tx, a, true); err != nil {
			return fmt.Errorf("agent %s: %w", a.ID, err)
		}
	}
	return dropOrphans(tx)
}

// putUser writes a user whose secrets are settled.
func putUser(tx *sql.Tx, a Agent, listed bool) error {
	ha1 := HA1{}
	if a.SIPHA1 != nil {
		ha1 = *a.SIPHA1
	}
	a = Agent{
		ID: a.ID, Name: a.Name, Role: a.Role, PasswordHash: a.PasswordHash, Extension: a.Extension,
		Skills: a.Public().Skills, Queues: a.Public().Queues,
	}
	_, err := tx.Exec(`INSERT INTO users (id, name, role, password_hash, extension, ha1_md5, ha1_sha256, skills, queues, listed)
		VALUES (?1, ?2, ?3, ?4, nullif(?5, ''), ?6, ?7, ?8, ?9, ?10)
		ON CONFLICT (id) DO UPDATE SET name = ?2, role = ?3, password_hash = ?4, extension = nullif(?5, ''),
			ha1_md5 = ?6, ha1_sha256 = ?7, skills = ?8, queues = ?9, listed = max(listed, ?10)`,
		a.ID, a.Name, a.Role, a.PasswordHash, a.Extension, ha1.MD5, ha1.SHA256, encode(a.Skills), encode(a.Queues), listed)
	return conflict(err)
}

// dropOrphans forgets desks and phones whose agent or extension is gone.
func dropOrphans(tx *sql.Tx) error {
	_, err := tx.Exec("DELETE FROM desks WHERE agent NOT IN (SELECT id FROM users)")
	if err != nil {
		return err
	}
	_, err = tx.Exec("DELETE FROM bindings WHERE user NOT IN (SELECT extension FROM users WHERE extension IS NOT NULL)")
	return err
}

// PutUser writes one user. Listed says that he belongs to the site's agents,
// which `apply` replaces as a whole; one who is listed stays so. Error:
// [ErrConflict] where another has the extension.
func (d *DB) PutUser(ctx context.Context, a Agent, listed bool) error {
	settled, err := d.settleAgents(ctx, []Agent{a})
	if err != nil {
		return fmt.Errorf("put user: %w", err)
	}
	return d.Write(ctx, "put user", func(tx *sql.Tx) error {
		if err := putUser(tx, settled[0], listed); err != nil {
			return err
		}
		return dropOrphans(tx)
	})
}

// AddUser makes a user who may log in. Error: [ErrConflict] where there is one
// with this id.
func (d *DB) AddUser(ctx context.Context, a Agent) error {
	a, err := a.settle(Agent{})
	if err != nil {
		return fmt.Errorf("add user %s: %w", a.ID, err)
	}
	return d.Write(ctx, "add user", func(tx *sql.Tx) error {
		var n int
		if err := tx.QueryRow("SELECT count(*) FROM users WHERE id = ?", a.ID).Scan(&n); err != nil {
			return err
		}
		if n > 0 {
			return fmt.Errorf("user %s: %w", a.ID, ErrConflict)
		}
		return putUser(tx, a, a.Extension != "")
	})
}

// ErrLastAdmin: nobody who may make users would be left.
var ErrLastAdmin = errors.New("the last admin stays")

// keepsAdmin makes a change and refuses it where it takes away the last admin
// with a password.
func keepsAdmin(tx *sql.Tx, change func() error) error {
	before, err := admins(tx)
	if err != nil {
		return err
	}
	if err := change(); err != nil {
		return err
	}
	after, err := admins(tx)
	if err == nil && before > 0 && after == 0 {
		return ErrLastAdmin
	}
	return err
}

func admins(tx *sql.Tx) (n int, err error) {
	err = tx.QueryRow("SELECT count(*) FROM users WHERE role = ? AND password_hash != ''", RoleAdmin).Scan(&n)
	return n, err
}

// SetUser makes a user, or changes name, role and password of one; an empty
// password stays as it was, and so does what an agent has beside. Errors:
// [ErrLastAdmin].
func (d *DB) SetUser(ctx context.Context, u Agent) error {
	was, err := d.User(ctx, u.ID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("set user: %w", err)
	}
	now := was
	now.ID, now.Name, now.Role, now.Password, now.PasswordHash = u.ID, u.Name, u.Role, u.Password, ""
	if now, err = now.settle(was); err != nil {
		return fmt.Errorf("set user %s: %w", u.ID, err)
	}
	return d.Write(ctx, "set user", func(tx *sql.Tx) error {
		return keepsAdmin(tx, func() error { return putUser(tx, now, false) })
	})
}

// RemoveUser takes a user away, and the desk of one who is an agent. Errors:
// [ErrNotFound], [ErrLastAdmin].
func (d *DB) RemoveUser(ctx context.Context, id string) error {
	return d.Write(ctx, "remove user", func(tx *sql.Tx) error {
		return keepsAdmin(tx, func() error {
			if err := mustHit(tx.Exec("DELETE FROM users WHERE id = ?", id)); err != nil {
				return err
			}
			return dropOrphans(tx)
		})
	})
}

const selectAgents = `SELECT id, name, role, password_hash, coalesce(extension, ''), ha1_md5, ha1_sha256, skills, queues
	FROM users`

func scanAgent(rows *sql.Rows) (Agent, error) { return scanUser(rows) }

func scanUser(row scanner) (a Agent, err error) {
	var ha1 HA1
	var skills, queues []byte
	err = row.Scan(&a.ID, &a.Name, &a.Role, &a.PasswordHash, &a.Extension, &ha1.MD5, &ha1.SHA256, &skills, &queues)
	if err != nil {
		return a, notFound(err)
	}
	if ha1 != (HA1{}) {
		a.SIPHA1 = &ha1
	}
	return a, errors.Join(json.Unmarshal(skills, &a.Skills), json.Unmarshal(queues, &a.Queues))
}

// User gives a user with the hashes of his secrets. Error: [ErrNotFound].
func (d *DB) User(ctx context.Context, id string) (Agent, error) {
	a, err := scanUser(d.reader.QueryRowContext(ctx, selectAgents+" WHERE id = ?", id))
	if err != nil {
		return Agent{}, fmt.Errorf("user %s: %w", id, err)
	}
	return a, nil
}

// Users gives all users by id, with the hashes of their secrets.
func (d *DB) Users(ctx context.Context) (list []Agent, err error) {
	return list, load(ctx, d.reader, &list, scanAgent, selectAgents+" ORDER BY id")
}

// Agents gives the users with an extension, by id: the desks there are.
func (d *DB) Agents(ctx context.Context) (list []Agent, err error) {
	return list, load(ctx, d.reader, &list, scanAgent, selectAgents+" WHERE extension IS NOT NULL ORDER BY id")
}

// HA1 gives the digests of an extension's password, for SIP; false where it has
// none.
func (d *DB) HA1(ctx context.Context, extension string) (HA1, bool, error) {
	var ha1 HA1
	err := d.reader.QueryRowContext(ctx, "SELECT ha1_md5, ha1_sha256 FROM users WHERE extension = ?", extension).
		Scan(&ha1.MD5, &ha1.SHA256)
	if errors.Is(err, sql.ErrNoRows) {
		return HA1{}, false, nil
	}
	return ha1, ha1 != HA1{}, err
}
