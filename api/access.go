package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"callbox/sms"
)

// Role is what a person may do. There are four of them.
type Role string

// The roles: an agent works for himself, a supervisor for everybody, an admin
// may also make supervisors, an auditor only reads.
const (
	Agent      Role = "agent"
	Supervisor Role = "supervisor"
	Admin      Role = "admin"
	Auditor    Role = "auditor"
)

// Scopes of a program's key.
const (
	ScopeSMS        = "sms"
	ScopeCalls      = "calls"
	ScopeRecordings = "recordings"
	ScopeReports    = "reports"
	ScopeConfig     = "config"
	ScopeMetrics    = "metrics"
	ScopeWallboard  = "wallboard" // figures and the agents' states, no numbers
)

// Roles and Scopes are all there are, in the order in which they are shown.
var (
	Roles  = []Role{Agent, Supervisor, Admin, Auditor}
	Scopes = []string{ScopeSMS, ScopeCalls, ScopeRecordings, ScopeReports, ScopeConfig, ScopeMetrics, ScopeWallboard}
)

// Sets of roles as the tables name them.
var (
	everyone = []Role{Agent, Supervisor, Admin, Auditor}
	readers  = []Role{Supervisor, Admin, Auditor}
	workers  = []Role{Agent, Supervisor, Admin}
	bosses   = []Role{Supervisor, Admin}
)

// caller is who asks: a person with a session or a program with a key.
type caller struct {
	ID     string // user, or name of the key
	Name   string
	Role   Role // empty for a program
	Scopes []string
	KeyID  string // of a program's key
	limits sms.Limits
	secret string // the key
	token  string // of the session
	page   string // its socket's name, for its phone; "" over HTTP
	from   string // address
}

// program says whether the caller holds a key rather than a session.
func (c *caller) program() bool { return c.Role == "" }

// own says whether the caller sees only what is his own.
func (c *caller) own() bool { return c.Role == Agent }

// has says whether the caller, if it is a program, may use scope.
func (c *caller) has(scope string) bool {
	return !c.program() || slices.Contains(c.Scopes, scope)
}

// access says who may use a route or a command.
type access struct {
	open   bool // everybody, also without a log-in
	door   bool // the handler checks the key itself, in another product's form
	roles  []Role
	scopes []string // any of them opens it to a key
}

// may judges c (nil: nobody): 0 for yes, else 401 or 403.
func (a access) may(c *caller) int {
	switch {
	case a.open:
		return 0
	case c == nil:
		return http.StatusUnauthorized
	case c.program() && slices.ContainsFunc(a.scopes, c.has):
		return 0
	case !c.program() && slices.Contains(a.roles, c.Role):
		return 0
	}
	return http.StatusForbidden
}

type callerKey struct{}

func withCaller(ctx context.Context, c *caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// callerOf is who asks, nil on an open route without a log-in.
func callerOf(ctx context.Context) *caller {
	c, _ := ctx.Value(callerKey{}).(*caller)
	return c
}

// guarded lets through to next whom the route's access allows.
func (a *API) guarded(acc access, next http.Handler) http.Handler {
	if acc.open {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, err := a.identify(r)
		if err != nil {
			a.fail(w, r, err)
			return
		}
		if status := acc.may(who); status != 0 {
			a.refuse(w, r, status)
			return
		}
		next.ServeHTTP(w, r.WithContext(withCaller(r.Context(), who)))
	})
}

// refuse answers 401 or 403.
func (a *API) refuse(w http.ResponseWriter, r *http.Request, status int) {
	detail := "log in, or send a key as Authorization: Bearer"
	if status == http.StatusForbidden {
		detail = "this log-in or key may not do that"
	} else {
		w.Header().Set("WWW-Authenticate", `Bearer realm="callbox"`)
	}
	a.fail(w, r, huma.NewError(status, detail))
}
