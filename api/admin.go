package api

import "net/http"

// Who administers what: people and keys are an admin's alone, and no key's.
var (
	adminOnly   = access{roles: []Role{Admin}}
	carrierRead = access{roles: readers, scopes: []string{ScopeSMS, ScopeConfig}}
)

// administration are the routes of the administrators' screens.
func administration() []route {
	return []route{
		{"POST", "/api/v1/flows:check", "what is wrong with flows, as YAML", siteEdit, raw(func(a *API) http.HandlerFunc { return a.checkFlows })},
		{"POST", "/api/v1/flows:try", "walk a flow without a call", siteEdit, serve((*API).tryFlow)},
		{"GET", "/api/v1/calendars/{id}/now", "whether a calendar is open", siteRead, serve((*API).calendarNow)},
		{"GET", "/api/v1/carriers", "accounts for texts as they stand", carrierRead, serve((*API).listCarriers)},
		{"GET", "/api/v1/webhooks", "webhooks as they stand", siteEdit, serve((*API).listHooks)},
		{"POST", "/api/v1/webhooks/{id}/test", "send a test notice now", siteEdit, serve((*API).testHook)},
		{"GET", "/api/v1/keys", "programs' keys", adminOnly, serve((*API).listKeys)},
		{"POST", "/api/v1/keys", "make a key, shown this once", adminOnly, made(http.StatusCreated, (*API).makeKey)},
		{"DELETE", "/api/v1/keys/{id}", "end a key", adminOnly, made(http.StatusNoContent, (*API).deleteKey)},
		{"GET", "/api/v1/users", "who may log in", adminOnly, serve((*API).listUsers)},
		{"PUT", "/api/v1/users/{id}", "make or change a log-in", adminOnly, serve((*API).putUser)},
		{"DELETE", "/api/v1/users/{id}", "remove a log-in", adminOnly, made(http.StatusNoContent, (*API).deleteUser)},
	}
}
