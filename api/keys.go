package api

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"callbox/internal/stamp"
	"callbox/sms"
	"callbox/storage"
)

const keysKind = "keys"

// key is a program's key as the pages show it.
type key struct {
	ID          string     `json:"id"`
	Name        string     `json:"name"`
	Scopes      []string   `json:"scopes"`
	AccountSID  string     `json:"account_sid"`
	ConfirmOver int        `json:"confirm_over" doc:"recipients of a job above which it waits for a confirmation; 0: never"`
	Created     stamp.Time `json:"created"`
	Key         string     `json:"key,omitempty" doc:"shown this once"`
}

func keyOf(k storage.Key) key {
	return key{k.ID, k.Name, append([]string{}, k.Scopes...), k.AccountSID, k.ConfirmOver, k.Created, ""}
}

func (a *API) listKeys(ctx context.Context, _ *struct{}) (*rows[key], error) {
	list, err := a.deps.KeyStore.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	out := make([]key, len(list))
	for i, k := range list {
		out[i] = keyOf(k)
	}
	return pageOf(out, ""), nil
}

type keyIn struct {
	Body struct {
		Name        string   `json:"name" minLength:"1" maxLength:"64"`
		Scopes      []string `json:"scopes" minItems:"1" maxItems:"16"`
		ConfirmOver int      `json:"confirm_over,omitempty" minimum:"0"`
	}
}

func (in *keyIn) check() error {
	var faults []error
	if strings.TrimSpace(in.Body.Name) != in.Body.Name {
		faults = append(faults, at("body.name", "has blanks around it", in.Body.Name))
	}
	if strings.ContainsFunc(in.Body.Name, unicode.IsControl) {
		faults = append(faults, at("body.name", "has control characters in it", in.Body.Name))
	}
	for i, scope := range in.Body.Scopes {
		where := fmt.Sprintf("body.scopes[%d]", i)
		if !slices.Contains(Scopes, scope) {
			faults = append(faults, at(where, "is none of "+strings.Join(Scopes, " "), scope))
		} else if slices.Index(in.Body.Scopes, scope) < i {
			faults = append(faults, at(where, "is given twice", scope))
		}
	}
	if len(faults) > 0 {
		return unprocessable(faults...)
	}
	return nil
}

func (a *API) makeKey(ctx context.Context, in *keyIn) (*one[key], error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	out := &one[key]{}
	err := a.edit(ctx, "make", keysKind, in.Body.Name, func() error {
		made, text, err := a.deps.KeyStore.AddKey(ctx, in.Body.Name, in.Body.Scopes, sms.Limits{ConfirmOver: in.Body.ConfirmOver})
		out.Body = keyOf(made)
		out.Body.Key = text
		return err
	})
	return out, err
}

// deleteKey ends a key, and the sockets opened with it.
func (a *API) deleteKey(ctx context.Context, in *byID) (*struct{}, error) {
	return nil, a.edit(ctx, "delete", keysKind, in.ID, func() error { return a.deps.KeyStore.RevokeKey(ctx, in.ID) })
}
