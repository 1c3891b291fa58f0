// Package seal keeps secrets at rest: AES-256-GCM under one key that lies in a
// file of its own, outside the database and its backups. It runs no goroutine
// and knows nothing of what it seals.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// KeySize is the key file's length in bytes.
const KeySize = 32

// ErrBroken says that a sealed text was changed, was sealed for another
// context, or under another key.
var ErrBroken = errors.New("sealed text does not open")

// Box seals and opens under one key. It may be used by many goroutines.
type Box struct{ aead cipher.AEAD }

// New makes a Box of a key of [KeySize] bytes.
func New(key []byte) (*Box, error) {
	if len(key) != KeySize {
		return nil, fmt.Errorf("secret key has %d bytes, not %d", len(key), KeySize)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("secret key: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("secret key: %w", err)
	}
	return &Box{aead: aead}, nil
}

// Load reads the key from a file that others may not read.
func Load(path string) (*Box, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("secret key: %w", err)
	}
	if st.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("secret key: %s may be read by others (mode %04o): chmod 600 it", path, st.Mode().Perm())
	}
	key, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("secret key: %w", err)
	}
	return New(key)
}

// LoadOrMake is Load; where there is no file, it makes one with a new key,
// mode 0600, on the disk before it returns.
func LoadOrMake(path string) (*Box, error) {
	box, err := Load(path)
	if !errors.Is(err, os.ErrNotExist) {
		return box, err
	}
	if err := makeKey(path); err != nil {
		return nil, fmt.Errorf("make secret key: %w", err)
	}
	return Load(path)
}

// makeKey writes a new key beside path and links it there: whoever comes second
// finds the first one's key, and nobody half a key.
func makeKey(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	key := make([]byte, KeySize)
	if _, err := rand.Read(key); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".secret-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(key)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Seal encrypts plain. context says what it is for (table and row): it opens
// under the same context only.
func (b *Box) Seal(plain []byte, context string) []byte {
	nonce := make([]byte, b.aead.NonceSize(), b.aead.NonceSize()+len(plain)+b.aead.Overhead())
	rand.Read(nonce) // never fails
	return b.aead.Seal(nonce, nonce, plain, []byte(context))
}

// Open is the inverse of Seal. Error: [ErrBroken].
func (b *Box) Open(sealed []byte, context string) ([]byte, error) {
	n := b.aead.NonceSize()
	if len(sealed) < n {
		return nil, ErrBroken
	}
	plain, err := b.aead.Open(nil, sealed[:n], sealed[n:], []byte(context))
	if err != nil {
		return nil, ErrBroken
	}
	return plain, nil
}
