package api

import (
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// page lists the routes and commands; it needs no script.
var page = template.Must(template.New("docs").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><title>callbox API</title>
<meta name="viewport" content="width=device-width">
<h1>callbox API</h1>
<p>The whole description: <a href="/openapi.json">openapi.json</a> (OpenAPI 3.1). Programs send
<code>Authorization: Bearer KEY</code>. Errors are <code>application/problem+json</code> (RFC 9457).</p>
<h2>HTTP</h2>
<table><tr><th>method and path<th>what<th>roles<th>scopes of a key</tr>
{{range .Routes}}<tr><td><code>{{.Method}} {{.Path}}</code><td>{{.What}}{{if .Later}} (not yet supported){{end}}<td>{{.Roles}}<td>{{.Scopes}}</tr>
{{end}}</table>
<h2>WebSocket /api/v1/ws, commands</h2>
<table><tr><th>command<th>roles</tr>
{{range .Commands}}<tr><td><code>{{.Path}}</code>{{if .Later}} (not yet supported){{end}}<td>{{.Roles}}</tr>
{{end}}</table></html>
`))

// listed is one line of the page.
type listed struct {
	Method, Path, What, Roles, Scopes string
	Later                             bool
}

func list(acc access) (roles, scopes string) {
	if acc.open {
		return "everybody", ""
	}
	var names []string
	for _, r := range acc.roles {
		names = append(names, string(r))
	}
	return strings.Join(names, " "), strings.Join(acc.scopes, " ")
}

// docs serves the page.
func (a *API) docs(w http.ResponseWriter, r *http.Request) {
	var data struct{ Routes, Commands []listed }
	for _, rt := range a.routes {
		roles, scopes := list(rt.access)
		data.Routes = append(data.Routes, listed{rt.method, rt.path, rt.what, roles, scopes, rt.mount == nil})
	}
	for name, c := range commands {
		roles, scopes := list(c.access)
		data.Commands = append(data.Commands, listed{"", name, "", roles, scopes, c.run == nil})
	}
	slices.SortFunc(data.Commands, func(x, y listed) int { return strings.Compare(x.Path, y.Path) })
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := page.Execute(w, data); err != nil {
		a.log.DebugContext(r.Context(), "docs not sent", "err", err)
	}
}

// openapi serves the description that huma gathered.
func (a *API) openapi(w http.ResponseWriter, r *http.Request) {
	body, err := a.huma.OpenAPI().MarshalJSON()
	if err != nil {
		a.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/openapi+json")
	_, _ = w.Write(body) // the client went away: nobody to tell
}

// describe adds a route to the description that huma does not serve itself.
func (a *API) describe(rt route) {
	op := rt.operation()
	op.Responses = map[string]*huma.Response{"default": {Description: "see the manual"}}
	if rt.mount == nil {
		op.Responses = map[string]*huma.Response{"501": {Description: notYet}}
	}
	a.huma.OpenAPI().AddOperation(&op)
}
