// Package main writes the firmware's initial file system: a gzipped cpio
// archive in the newc form (Linux, initramfs buffer format) with the program as
// /init, /dev/console and the kernel modules it loads.
package main

import (
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"path"
	"path/filepath"
)

func main() {
	log.SetFlags(0)
	program := flag.String("init", "", "the program")
	out := flag.String("o", "", "the file to write")
	flag.Parse()
	if *program == "" || *out == "" {
		log.Fatal("image -init PROGRAM -o FILE [MODULE.ko…]")
	}
	if err := build(*program, *out, flag.Args()); err != nil {
		log.Fatal(err)
	}
}

func build(program, out string, modules []string) error {
	var image bytes.Buffer
	zip, _ := gzip.NewWriterLevel(&image, gzip.BestCompression) // the level is a right one
	a := &archive{to: zip}
	a.folder("dev")
	a.device("dev/console", 5, 1)
	a.folder("sys")
	a.file("init", program, 0o755)
	a.folder("lib")
	a.folder("lib/modules")
	for _, m := range modules {
		a.file(path.Join("lib/modules", filepath.Base(m)), m, 0o644)
	}
	a.entry("TRAILER!!!", 0, 0, 0, nil)
	if a.err == nil {
		a.err = zip.Close()
	}
	if a.err != nil {
		return fmt.Errorf("building the image: %w", a.err)
	}
	return os.WriteFile(out, image.Bytes(), 0o644)
}

// archive writes entries; after the first error it does nothing.
type archive struct {
	to    io.Writer
	inode int
	err   error
}

// Kinds of entries, as stat's mode.
const (
	regular   = 0o100000
	directory = 0o040000
	character = 0o020000
)

func (a *archive) folder(name string) { a.entry(name, directory|0o755, 0, 0, nil) }

func (a *archive) device(name string, major, minor int) {
	a.entry(name, character|0o600, major, minor, nil)
}

func (a *archive) file(name, from string, mode int) {
	content, err := os.ReadFile(from)
	if err != nil && a.err == nil {
		a.err = err
	}
	a.entry(name, regular|mode, 0, 0, content)
}

// entry writes a header of 110 letters, the name and the content, each filled
// up to four bytes. Owner and times are 0: the same files make the same image.
func (a *archive) entry(name string, mode, major, minor int, content []byte) {
	a.inode++
	fields := []int{a.inode, mode, 0, 0, 1, 0, len(content), 0, 0, major, minor, len(name) + 1, 0}
	header := []byte("070701")
	for _, f := range fields {
		header = fmt.Appendf(header, "%08X", f)
	}
	a.write(filled(append(append(header, name...), 0)))
	a.write(filled(content))
}

func filled(b []byte) []byte { return append(b, make([]byte, -len(b)&3)...) }

func (a *archive) write(b []byte) {
	if a.err == nil {
		_, a.err = a.to.Write(b)
	}
}
