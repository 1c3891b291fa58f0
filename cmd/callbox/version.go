package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"callbox/web"
)

// version is the release; builds between releases carry the commit beside it.
const version = "0.1.0-dev"

type versionCmd struct{}

// dependencies that decide how callbox behaves on the wire and on disk.
var dependencies = []string{
	"github.com/emiago/sipgo", "github.com/mattn/go-sqlite3", "github.com/pion/sdp/v3",
	"github.com/gorilla/websocket", "github.com/danielgtaylor/huma/v2",
}

// Help gives an example.
func (versionCmd) Help() string { return "Example: callbox version" }

// Run prints what this binary is made of.
func (versionCmd) Run(s *session) error {
	fmt.Fprintf(s.out, "callbox %s\ncommit: %s\ngo: %s\nui: %s\n", version, commit, runtime.Version(), pages())
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	for _, module := range info.Deps {
		for _, name := range dependencies {
			if module.Path == name {
				fmt.Fprintf(s.out, "%s: %s\n", strings.TrimPrefix(name, "github.com/"), module.Version)
			}
		}
	}
	return nil
}

func pages() string {
	if _, built := web.Files(); built {
		return "built in"
	}
	return "none"
}
