package app_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// mayImport says, folder by folder, which other folders of callbox a package
// may import, and why. The longest prefix counts. A folder may import what lies
// below it only if that is listed, too; internal/ leaves are open to all.
var mayImport = map[string]struct {
	folders []string
	why     string
}{
	"cmd":                 {[]string{"*"}, "commands join the parts and are imported by nothing"},
	"api":                 {[]string{"cti", "acd", "ivr", "ivr/flow", "ivr/calendar", "ivr/try", "sms", "recorder", "storage", "api/doors", "api/webhook"}, "the face shows what the parts know"},
	"api/doors":           {[]string{"sms"}, "it puts other products' words into a text and back"},
	"api/webhook":         {nil, "it knows bytes and addresses only"},
	"web":                 {nil, "pages are files"},
	"cti":                 {[]string{"cti/media"}, "a call has sound, and nothing below it knows calls"},
	"cti/media":           {[]string{"cti/media/dsp"}, "sound knows no signalling"},
	"cti/media/dsp":       {nil, "pure, shared with the firmware"},
	"cti/sip":             {[]string{"cti", "cti/media"}, "a way to reach a phone"},
	"cti/webrtc":          {[]string{"cti", "cti/media"}, "a way to reach a page"},
	"cti/ctitest":         {[]string{"cti", "cti/media"}, "legs and phones for everybody's tests"},
	"ivr":                 {[]string{"cti", "cti/media", "ivr/flow", "ivr/speech"}, "it walks a call through a flow"},
	"ivr/flow":            {nil, "a checked graph is pure"},
	"ivr/calendar":        {nil, "hours are pure"},
	"ivr/try":             {[]string{"ivr/flow", "ivr/calendar"}, "a dry run is pure"},
	"ivr/speech":          {[]string{"cti/media", "recorder/wav"}, "prompts are sound from files"},
	"acd":                 {[]string{"cti", "acd/strategy"}, "devices are rung through the call"},
	"acd/strategy":        {nil, "a decision is pure"},
	"acd/acdtest":         {[]string{"acd", "acd/strategy", "cti", "cti/media", "cti/ctitest"}, "a simulated floor"},
	"sms":                 {nil, "texts know no protocol and no calls"},
	"sms/door":            {[]string{"sms"}, "rows of a foreign database become texts"},
	"sms/door/doortest":   {nil, "servers for tests"},
	"cmpp":                {nil, "the protocol, standard library only"},
	"cmpp/client":         {[]string{"cmpp", "sms"}, "it is an sms.Carrier"},
	"cmpp/cmpptest":       {[]string{"cmpp"}, "the other side of the wire"},
	"recorder":            {[]string{"cti/media", "recorder/wav"}, "it hears a port and writes a file"},
	"recorder/wav":        {nil, "a container"},
	"storage":             {[]string{"cti", "acd", "sms", "storage/migrations"}, "it keeps their types"},
	"storage/migrations":  {nil, "SQL files"},
	"storage/storagetest": {[]string{"storage"}, "a fresh database"},
	"voicebox":            {[]string{"cti", "cti/media", "cti/media/dsp", "voicebox/v253"}, "a way to reach an analogue line"},
	"voicebox/v253":       {[]string{"cti/media/dsp"}, "a serial protocol knows no calls"},
	"voicebox/boxtest":    {[]string{"firmware/analog", "firmware/board", "firmware/box", "firmware/exchange", "voicebox/v253", "cti/media/dsp"}, "a box and a telephone network for tests"},
	"firmware":            {[]string{"firmware/board", "firmware/box"}, "the box's own program"},
	"firmware/analog":     {nil, "a wire format"},
	"firmware/board":      {[]string{"firmware/analog", "firmware/box"}, "hardware"},
	"firmware/box":        {[]string{"cti/media/dsp", "firmware/analog"}, "the modem, without hardware"},
	"firmware/exchange":   {[]string{"cti/media/dsp", "firmware/analog"}, "the other end of the line"},
	"internal":            {nil, "leaves"},
}

// onlyHere are modules that these folders alone may import: one owner, and
// programs that are its peer at the wire.
var onlyHere = map[string][]string{
	"github.com/emiago/sipgo":          {"cti/sip"},
	"github.com/pion/webrtc":           {"cti/webrtc", "cmd/e2e", "cmd/bench"},
	"github.com/mattn/go-sqlite3":      {"storage"},
	"github.com/caddyserver/certmagic": {"cmd/internal/front"},
	"github.com/gorilla/websocket":     {"api", "cmd/internal/demo", "cmd/bench", "cmd/e2e"},
	"github.com/hajimehoshi/go-mp3":    {"ivr/speech"},
	"github.com/tarm/serial":           {"voicebox"},

	"github.com/go-sql-driver/mysql":  {"sms/door", "sms/door/doortest"},
	"github.com/jackc/pgx":            {"sms/door", "sms/door/doortest"},
	"github.com/microsoft/go-mssqldb": {"sms/door"},
	"github.com/sijms/go-ora":         {"sms/door"},
}

type listed struct {
	ImportPath string
	Dir        string
	Imports    []string
	GoFiles    []string
	Doc        string
}

func packages(t *testing.T) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Dir,Imports,GoFiles,Doc", "callbox/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// folder is a package's place in the tree, and rule the key of its rule.
func folder(importPath string) string { return strings.TrimPrefix(importPath, "callbox/") }

func rule(folder string) string {
	for at := folder; at != "."; at = filepath.Dir(at) {
		if _, ok := mayImport[at]; ok {
			return at
		}
	}
	return ""
}

func TestImportsRunOneWay(t *testing.T) {
	for _, p := range packages(t) {
		from := folder(p.ImportPath)
		r := rule(from)
		if r == "" {
			t.Errorf("%s has no rule in mayImport", from)
			continue
		}
		for _, imported := range p.Imports {
			to, ours := strings.CutPrefix(imported, "callbox/")
			allowed := mayImport[r].folders
			if !ours || strings.HasPrefix(to, "internal/") || slices.Contains(allowed, to) || slices.Contains(allowed, "*") {
				continue
			}
			t.Errorf("%s imports %s; %s may import %v: %s", from, to, r, allowed, mayImport[r].why)
		}
	}
}

func TestModulesThatOneFolderOwns(t *testing.T) {
	for _, p := range packages(t) {
		for _, imported := range p.Imports {
			for module, owners := range onlyHere {
				if strings.HasPrefix(imported, module) && !slices.Contains(owners, folder(p.ImportPath)) {
					t.Errorf("%s imports %s, which belongs to %v", p.ImportPath, imported, owners)
				}
			}
		}
	}
}

// TestFoldersFormNoLoop looks at top folders: a loop between them would be
// legal Go, and a reader would walk in circles.
func TestFoldersFormNoLoop(t *testing.T) {
	edges := map[string]map[string]bool{}
	top := func(path string) string { f, _, _ := strings.Cut(folder(path), "/"); return f }
	for _, p := range packages(t) {
		for _, imported := range p.Imports {
			a, b := top(p.ImportPath), top(imported)
			if strings.HasPrefix(imported, "callbox/") && a != b {
				if edges[a] == nil {
					edges[a] = map[string]bool{}
				}
				edges[a][b] = true
			}
		}
	}
	var visit func(at string, path []string)
	visit = func(at string, path []string) {
		if i := slices.Index(path, at); i >= 0 {
			t.Errorf("folders form a loop: %v", append(path[i:], at))
			return
		}
		for next := range edges[at] {
			visit(next, append(slices.Clone(path), at))
		}
	}
	visit("cmd", nil)
}

func TestEachPackageHasOneComment(t *testing.T) {
	for _, p := range packages(t) {
		comments := 0
		eachFile(t, p, func(_ string, _ *token.FileSet, f *ast.File) {
			if f.Doc != nil {
				comments++
			}
		})
		if comments != 1 && len(p.GoFiles) > 0 {
			t.Errorf("%s has %d package comments, want 1", p.ImportPath, comments)
		}
	}
}

func TestGoroutinesStartGuarded(t *testing.T) {
	for _, p := range packages(t) {
		if folder(p.ImportPath) == "internal/guard" {
			continue
		}
		eachFile(t, p, func(name string, fset *token.FileSet, f *ast.File) {
			ast.Inspect(f, func(n ast.Node) bool {
				if stmt, ok := n.(*ast.GoStmt); ok {
					t.Errorf("%s:%d: a bare go statement; use internal/guard", name, fset.Position(stmt.Pos()).Line)
				}
				return true
			})
		})
	}
}

const longest = 80 // lines of a function

func TestFunctionsAreShort(t *testing.T) {
	var lengths []int
	for _, p := range packages(t) {
		eachFile(t, p, func(name string, fset *token.FileSet, f *ast.File) {
			for _, decl := range f.Decls {
				fn, ok := decl.(*ast.FuncDecl)
				if !ok || fn.Body == nil {
					continue
				}
				n := fset.Position(fn.Body.End()).Line - fset.Position(fn.Body.Pos()).Line + 1
				lengths = append(lengths, n)
				if n > longest {
					t.Errorf("%s: %s has %d lines, at most %d", name, fn.Name.Name, n, longest)
				}
			}
		})
	}
	slices.Sort(lengths)
	if median := lengths[len(lengths)/2]; median >= 12 {
		t.Errorf("the median function has %d lines, want fewer than 12", median)
	}
}

func eachFile(t *testing.T, p listed, see func(name string, fset *token.FileSet, f *ast.File)) {
	t.Helper()
	for _, name := range p.GoFiles {
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		see(filepath.Join(folder(p.ImportPath), name), fset, f)
	}
}
