package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"callbox/storage"
)

const usersKind = "users"

// user is who may log in, as the pages show it.
type user struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Role      string `json:"role" doc:"agent, supervisor, admin, auditor"`
	Extension string `json:"extension" doc:"of an agent's telephone"`
	Password  bool   `json:"has_password" doc:"may log in"`
}

func userOf(u storage.Agent) user {
	return user{u.ID, u.Name, u.Role, u.Extension, u.PasswordHash != ""}
}

func (a *API) listUsers(ctx context.Context, _ *struct{}) (*rows[user], error) {
	list, err := a.deps.People.Users(ctx)
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	out := make([]user, len(list))
	for i, u := range list {
		out[i] = userOf(u)
	}
	return pageOf(out, ""), nil
}

// minPassword is the least length of a password that an admin gives.
const minPassword = 8

type userIn struct {
	ID   string `path:"id" maxLength:"64"`
	Body struct {
		ID        string `json:"id,omitempty" maxLength:"64"`
		Name      string `json:"name" minLength:"1" maxLength:"128"`
		Role      string `json:"role" enum:"agent,supervisor,admin,auditor"`
		Password  string `json:"password,omitempty" maxLength:"256" doc:"8 characters at least; empty: stays as it is"`
		Extension string `json:"extension,omitempty" doc:"as GET gives it; is changed in agents"`
		Has       bool   `json:"has_password,omitempty" doc:"as GET gives it"`
	}
}

// check finds what is wrong with a user; was is the one there is, if known.
func (in *userIn) check(was storage.Agent, known bool) error {
	var faults []error
	b := in.Body
	if b.ID != "" && b.ID != in.ID {
		faults = append(faults, at("body.id", "is not that of the path", b.ID))
	}
	if !known && strings.ContainsFunc(in.ID, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == '/' }) {
		faults = append(faults, at("path.id", "has blanks or a stroke in it", in.ID))
	}
	if b.Extension != "" && b.Extension != was.Extension {
		faults = append(faults, at("body.extension", "is changed in agents", b.Extension))
	}
	switch n := len([]rune(b.Password)); {
	case n > 0 && n < minPassword:
		faults = append(faults, at("body.password", "8 characters at least", nil))
	case n == 0 && was.PasswordHash == "":
		faults = append(faults, at("body.password", "is missing", nil))
	}
	if len(faults) > 0 {
		return unprocessable(faults...)
	}
	return nil
}

// putUser makes a user or changes one. Sessions under another password or role
// end.
func (a *API) putUser(ctx context.Context, in *userIn) (*one[user], error) {
	was, known, err := a.user(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err := in.check(was, known); err != nil {
		return nil, err
	}
	u := storage.Agent{ID: in.ID, Name: in.Body.Name, Role: in.Body.Role, Password: in.Body.Password}
	if err := a.edit(ctx, "put", usersKind, in.ID, func() error { return a.deps.People.SetUser(ctx, u) }); err != nil {
		return nil, err
	}
	now, _, err := a.user(ctx, in.ID)
	return &one[user]{Body: userOf(now)}, err
}

// deleteUser takes a user away, with his sessions and his desk.
func (a *API) deleteUser(ctx context.Context, in *byID) (*struct{}, error) {
	err := a.edit(ctx, "delete", usersKind, in.ID, func() error { return a.deps.People.RemoveUser(ctx, in.ID) })
	if errors.Is(err, storage.ErrNotFound) {
		return nil, notFound(strings.TrimSuffix(usersKind, "s"))
	}
	return nil, err
}

// watched are the kinds whose change may end sessions and keys, or show
// somebody other queues.
func watched(kind string) bool {
	return slices.Contains([]string{agentsKind, usersKind, keysKind}, kind)
}
