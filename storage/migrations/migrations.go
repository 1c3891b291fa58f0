// Package migrations holds the numbered SQL files that make the database what
// this program expects. It runs nothing and knows no table.
package migrations

import "embed"

// Files are the migrations, NNNN_name.sql in goose's form.
//
//go:embed *.sql
var Files embed.FS
