package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/danielgtaylor/huma/v2"

	"callbox/cti"
	"callbox/storage"
)

// Life of a session. A socket that is open counts as activity.
const (
	idleLife  = 30 * time.Minute
	wholeLife = 12 * time.Hour
	touchEach = time.Minute // how often activity is written down
	cookie    = "callbox_session"
)

// Keys within a session.
const (
	sessUser = "user"
	sessPass = "pass" // fingerprint of the log-in
	sessSeen = "seen" // Unix seconds
)

// newSessions makes the session manager. scs.New would start a goroutine for a
// store in memory.
func newSessions(store scs.Store, secure bool) *scs.SessionManager {
	return &scs.SessionManager{
		Store: store, Codec: scs.GobCodec{}, IdleTimeout: idleLife, Lifetime: wholeLife,
		Cookie: scs.SessionCookie{
			Name: cookie, HttpOnly: true, Path: "/", SameSite: http.SameSiteStrictMode, Secure: secure,
		},
	}
}

// identify finds who asks: by key if one is sent, else by session; nil is
// nobody.
func (a *API) identify(r *http.Request) (who *caller, err error) {
	if key, ok := bearer(r); ok {
		who, err = a.program(r.Context(), key)
	} else if c, failed := r.Cookie(cookie); failed == nil && c.Value != "" {
		who, err = a.person(r.Context(), c.Value)
	}
	if who != nil {
		who.from = address(r)
	}
	return who, err
}

// bearer takes the key out of the Authorization header (RFC 6750).
func bearer(r *http.Request) (string, bool) {
	scheme, key, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(key), ok && strings.EqualFold(scheme, "Bearer")
}

func (a *API) program(ctx context.Context, key string) (*caller, error) {
	k, err := a.deps.Keys.KeyOf(ctx, key)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look up a key: %w", err)
	}
	return &caller{ID: k.Name, Name: k.Name, Scopes: k.Scopes, KeyID: k.ID, limits: k.Limits, secret: key}, nil
}

// person is whose session token is, if that session still holds: it ends after
// idleLife, wholeLife, log-out, another password, or the user's removal.
func (a *API) person(ctx context.Context, token string) (*caller, error) {
	sctx, err := a.sessions.Load(ctx, token)
	if err != nil {
		return nil, fmt.Errorf("load session: %w", err)
	}
	id := a.sessions.GetString(sctx, sessUser)
	if id == "" {
		return nil, nil
	}
	u, ok, err := a.user(ctx, id)
	if err != nil {
		return nil, err
	}
	if !ok || a.sessions.GetString(sctx, sessPass) != fingerprint(u) {
		return nil, nil
	}
	if time.Since(time.Unix(a.sessions.GetInt64(sctx, sessSeen), 0)) >= touchEach {
		a.touch(token)
	}
	return &caller{ID: u.ID, Name: u.Name, Role: Role(u.Role), token: token}, nil
}

// again looks whether the socket's session or key still holds; nil is no. An
// open socket keeps its session alive.
func (s *socket) again(ctx context.Context) (*caller, error) {
	if s.who.program() {
		return s.api.program(ctx, s.who.secret)
	}
	return s.api.person(ctx, s.who.token)
}

// touch has Run write down that token's session is in use; it never waits.
func (a *API) touch(token string) {
	select {
	case a.touched <- token:
	default: // the next request will do it
	}
}

// keepAlive writes a session's activity. It and close take turns, so that a
// session that ends meanwhile does not come back.
func (a *API) keepAlive(ctx context.Context, token string) error {
	a.closing.Lock()
	defer a.closing.Unlock()
	sctx, err := a.sessions.Load(ctx, token)
	if err != nil {
		return fmt.Errorf("load session: %w", err)
	}
	if a.sessions.GetString(sctx, sessUser) == "" {
		return nil // ended meanwhile
	}
	a.sessions.Put(sctx, sessSeen, time.Now().Unix())
	if _, _, err := a.sessions.Commit(sctx); err != nil {
		return fmt.Errorf("keep session: %w", err)
	}
	return nil
}

// fingerprint tells log-ins apart, by password and role, without keeping them.
func fingerprint(u storage.Agent) string {
	sum := sha256.Sum256([]byte(u.Role + "\n" + u.PasswordHash))
	return hex.EncodeToString(sum[:8])
}

type loginIn struct {
	Body struct {
		User     string `json:"user" minLength:"1" maxLength:"64" doc:"an agent's user is the agent's id"`
		Password string `json:"password" maxLength:"256"`
	}
}

// me is who is logged in, as the pages show it.
type me struct {
	User string `json:"user"`
	Role string `json:"role" doc:"agent, supervisor, admin, auditor; program for a key"`
	Name string `json:"name"`
}

type loginOut struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
	Body      me
}

// login judges a password and opens a session under a new id. An unknown user
// costs the same time and gets the same answer as a wrong password.
func (a *API) login(ctx context.Context, in *loginIn) (*loginOut, error) {
	r := requestOf(ctx)
	who := in.Body.User + "|" + address(r)
	if wait := a.guesses.try(who, time.Now()); wait > 0 {
		return nil, tooMany(wait)
	}
	u, err := a.judge(ctx, in.Body.User, in.Body.Password)
	if err != nil {
		if a.guesses.begins(who) {
			a.log.Warn("wrong passwords: log-ins of this user from there are slowed down", "user", u.ID, "address", address(r))
		}
		return nil, err
	}
	a.guesses.good(who)
	token, err := a.open(ctx, r, u)
	if err != nil {
		return nil, err
	}
	if _, err := a.deps.Floor.LogOn(ctx, u.ID); err != nil && !errors.Is(err, cti.ErrNotFound) {
		return nil, fmt.Errorf("log on: %w", err)
	}
	out := &loginOut{Body: me{User: u.ID, Role: u.Role, Name: u.Name}}
	out.SetCookie = a.cookie(r, token, int(wholeLife.Seconds()))
	return out, nil
}

func tooMany(wait time.Duration) error {
	return later(http.StatusTooManyRequests, "too many tries; wait "+inSeconds(wait), wait)
}

// user is the user with this id; false where there is none.
func (a *API) user(ctx context.Context, id string) (storage.Agent, bool, error) {
	u, err := a.deps.Users.User(ctx, id)
	if errors.Is(err, storage.ErrNotFound) {
		return storage.Agent{}, false, nil
	}
	if err != nil {
		return storage.Agent{}, false, fmt.Errorf("load user: %w", err)
	}
	return u, true, nil
}

// judge finds the user whom this password belongs to; with a wrong one, the user
// who is known by that name. Two hashes at most are
// computed at a time, since each takes much memory.
func (a *API) judge(ctx context.Context, user, password string) (storage.Agent, error) {
	u, _, err := a.user(ctx, user)
	if err != nil {
		return u, err
	}
	select {
	case a.hashing <- struct{}{}:
		defer func() { <-a.hashing }()
	case <-ctx.Done():
		return u, context.Cause(ctx)
	}
	if !storage.CheckPassword(password, u.PasswordHash) {
		return u, huma.NewError(http.StatusUnauthorized, "user or password is wrong")
	}
	return u, nil
}

// open starts a session under a new token; one that the browser had before ends.
func (a *API) open(ctx context.Context, r *http.Request, u storage.Agent) (string, error) {
	if c, err := r.Cookie(cookie); err == nil && c.Value != "" {
		if err := a.close(ctx, c.Value); err != nil {
			return "", err
		}
	}
	sctx, err := a.sessions.Load(ctx, "")
	if err != nil {
		return "", fmt.Errorf("new session: %w", err)
	}
	a.sessions.Put(sctx, sessUser, u.ID)
	a.sessions.Put(sctx, sessPass, fingerprint(u))
	a.sessions.Put(sctx, sessSeen, time.Now().Unix())
	token, _, err := a.sessions.Commit(sctx)
	if err != nil {
		return "", fmt.Errorf("keep session: %w", err)
	}
	return token, nil
}

// close ends a session and its sockets.
func (a *API) close(ctx context.Context, token string) error {
	sctx, err := a.sessions.Load(ctx, token)
	if err != nil {
		return fmt.Errorf("load session: %w", err)
	}
	a.closing.Lock()
	defer a.closing.Unlock()
	if err := a.sessions.Destroy(sctx); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	a.hub.end(token)
	return nil
}

func (a *API) cookie(r *http.Request, token string, age int) http.Cookie {
	return http.Cookie{
		Name: cookie, Value: token, Path: "/", MaxAge: age,
		HttpOnly: true, Secure: a.cfg.Secure || a.secure(r), SameSite: http.SameSiteStrictMode,
	}
}

type logoutOut struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
}

// logout ends the session, its sockets, and the agent's time on the floor.
func (a *API) logout(ctx context.Context, _ *struct{}) (*logoutOut, error) {
	who := callerOf(ctx)
	if who.program() {
		return nil, forbidden("a key is not logged in")
	}
	if err := a.close(ctx, who.token); err != nil {
		return nil, err
	}
	if _, err := a.deps.Floor.LogOff(ctx, who.ID); err != nil && !errors.Is(err, cti.ErrNotFound) {
		return nil, fmt.Errorf("log off: %w", err)
	}
	return &logoutOut{SetCookie: a.cookie(requestOf(ctx), "", -1)}, nil
}

type meOut struct{ Body me }

func (a *API) me(ctx context.Context, _ *struct{}) (*meOut, error) {
	who := callerOf(ctx)
	role := string(who.Role)
	if who.program() {
		role = "program"
	}
	return &meOut{Body: me{User: who.ID, Role: role, Name: who.Name}}, nil
}

// address is the other side's, without its port.
func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
