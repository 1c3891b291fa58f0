package storage

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"callbox/internal/stamp"
	"callbox/sms"
)

// Key is a program's API key.
type Key struct {
	ID         string
	Name       string
	Scopes     []string
	AccountSID string // AC and 32 hex digits, for the Twilio shape
	sms.Limits        // of the texts that come with it
	Created    stamp.Time
}

// keyLetters are 62; a key of keyLength of them has 238 bits.
const (
	keyLetters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	keyLength  = 40
)

// AddKey makes a key and gives its text, which is shown this once. Error:
// [ErrConflict] where the name is taken.
func (d *DB) AddKey(ctx context.Context, name string, scopes []string, limits sms.Limits) (Key, string, error) {
	if d.cfg.Secret == nil {
		return Key{}, "", errors.New("add API key: there is no secret key to seal it with")
	}
	k := Key{
		ID: newID(), Name: name, Scopes: scopes, Limits: limits,
		AccountSID: "AC" + randomHex(16), Created: stamp.Now(),
	}
	text := randomKey()
	sealed, hash := d.cfg.Secret.Seal([]byte(text), keyContext(k.ID)), keyHash(text)
	err := d.Write(ctx, "add API key", func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO api_keys (id, name, hash, sealed, scopes, account_sid, confirm_over, per_second, per_day, created)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			k.ID, k.Name, hash[:], sealed, encode(k.Scopes), k.AccountSID,
			k.ConfirmOver, k.PerSecond, k.PerDay, k.Created.Millis())
		return conflict(err)
	})
	d.keys.forget()
	return k, text, err
}

// RemoveKey revokes a key by its name. Error: [ErrNotFound].
func (d *DB) RemoveKey(ctx context.Context, name string) error {
	defer d.keys.forget()
	return d.Write(ctx, "remove API key", func(tx *sql.Tx) error {
		return mustHit(tx.Exec("DELETE FROM api_keys WHERE name = ?", name))
	})
}

// RevokeKey removes a key by its id. Error: [ErrNotFound].
func (d *DB) RevokeKey(ctx context.Context, id string) error {
	defer d.keys.forget()
	return d.Write(ctx, "revoke API key", func(tx *sql.Tx) error {
		return mustHit(tx.Exec("DELETE FROM api_keys WHERE id = ?", id))
	})
}

// keyring remembers keys by their hash, since each request comes with one,
// until one is made or removed.
type keyring struct {
	mu    sync.Mutex
	epoch int // how often all were forgotten
	known map[[sha256.Size]byte]Key
}

func (r *keyring) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.epoch++
	r.known = nil
}

func (r *keyring) find(hash [sha256.Size]byte) (k Key, epoch int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k, ok = r.known[hash]
	return k, r.epoch, ok
}

// learn remembers k unless it may be gone since epoch.
func (r *keyring) learn(hash [sha256.Size]byte, k Key, epoch int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if epoch != r.epoch {
		return
	}
	if r.known == nil {
		r.known = map[[sha256.Size]byte]Key{}
	}
	r.known[hash] = k
}

const selectKey = "SELECT id, name, scopes, account_sid, confirm_over, per_second, per_day, created FROM api_keys"

func scanKey(row scanner) (k Key, err error) {
	var scopes string
	var created int64
	if err := row.Scan(&k.ID, &k.Name, &scopes, &k.AccountSID, &k.ConfirmOver, &k.PerSecond, &k.PerDay, &created); err != nil {
		return k, notFound(err)
	}
	k.Created = stamp.FromMillis(created)
	return k, json.Unmarshal([]byte(scopes), &k.Scopes)
}

// KeyOf gives the key with this text. Error: [ErrNotFound].
func (d *DB) KeyOf(ctx context.Context, text string) (Key, error) {
	hash := keyHash(text)
	k, epoch, ok := d.keys.find(hash)
	if ok {
		return k, nil
	}
	k, err := scanKey(d.reader.QueryRowContext(ctx, selectKey+" WHERE hash = ?", hash[:]))
	if err == nil {
		d.keys.learn(hash, k, epoch)
	}
	return k, err
}

// Keys gives all keys by name.
func (d *DB) Keys(ctx context.Context) ([]Key, error) {
	rows, err := d.reader.QueryContext(ctx, selectKey+" ORDER BY name")
	if err != nil {
		return nil, fmt.Errorf("list API keys: %w", err)
	}
	return collect(rows, func(rows *sql.Rows) (Key, error) { return scanKey(rows) })
}

// KeySecret opens the text of a key by its id, to sign with it. Error:
// [ErrNotFound].
func (d *DB) KeySecret(ctx context.Context, id string) (string, error) {
	var sealed []byte
	err := d.reader.QueryRowContext(ctx, "SELECT sealed FROM api_keys WHERE id = ?", id).Scan(&sealed)
	if err != nil {
		return "", notFound(err)
	}
	if d.cfg.Secret == nil {
		return "", errors.New("open API key: there is no secret key")
	}
	text, err := d.cfg.Secret.Open(sealed, keyContext(id))
	if err != nil {
		return "", fmt.Errorf("open API key %s (another secret.key?): %w", id, err)
	}
	return string(text), nil
}

func keyContext(id string) string { return "api_keys/" + id }

// keyHash finds a key; plain SHA-256 will do for a text of 238 random bits.
func keyHash(text string) [sha256.Size]byte { return sha256.Sum256([]byte("callbox key " + text)) }

func randomKey() string {
	key := make([]byte, 0, keyLength)
	var b [64]byte
	for len(key) < keyLength {
		rand.Read(b[:]) // never fails
		for _, x := range b {
			if x < 4*62 && len(key) < keyLength { // no letter more likely than another
				key = append(key, keyLetters[x%62])
			}
		}
	}
	return string(key)
}

func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
