package box

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// A box has no clock but its line: of time it knows the Duration only.
func TestNoClock(t *testing.T) {
	packages, err := parser.ParseDir(token.NewFileSet(), ".", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range packages["box"].Files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if p, ok := s.X.(*ast.Ident); ok && p.Name == "time" && s.Sel.Name != "Duration" && s.Sel.Name != "Second" && s.Sel.Name != "Millisecond" {
					t.Errorf("%s uses time.%s", name, s.Sel.Name)
				}
			}
			return true
		})
	}
}
