package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// route is one line of the table of everything that HTTP serves, and who may
// use it.
type route struct {
	method, path string
	what         string
	access       access
	mount        func(*API, route) // nil: documented, not served yet
}

// pattern is the route's for the mux.
func (rt route) pattern() string { return rt.method + " " + rt.path }

// operation is the route for huma.
func (rt route) operation() huma.Operation {
	op := huma.Operation{
		Method: rt.method, Path: rt.path, Summary: rt.what,
		OperationID: operationID(rt), MaxBodyBytes: maxBody,
	}
	if large(rt.path) {
		op.MaxBodyBytes = maxBatch
	}
	for name := range params(rt.path) {
		op.Parameters = append(op.Parameters, &huma.Param{
			Name: name, In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString},
		})
	}
	return op
}

// operationID names a route by its method and path: getSmsJobsId.
func operationID(rt route) string {
	id := strings.ToLower(rt.method)
	for word := range strings.FieldsFuncSeq(rt.path, func(r rune) bool { return strings.ContainsRune("/{}:._-", r) }) {
		if word != "api" && word != "v1" {
			id += strings.ToUpper(word[:1]) + word[1:]
		}
	}
	return id
}

// params yields the names in braces of a path.
func params(path string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, part := range strings.Split(path, "/") {
			if name, ok := strings.CutPrefix(part, "{"); ok && !yield(strings.TrimSuffix(name, "}")) {
				return
			}
		}
	}
}

// serve mounts a handler of huma's, which reads and checks the request.
func serve[I, O any](h func(*API, context.Context, *I) (*O, error)) func(*API, route) {
	return func(a *API, rt route) {
		op := rt.operation()
		op.Parameters = nil // huma finds them in I
		huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
			out, err := h(a, ctx, in)
			if err != nil {
				return nil, a.problem(ctx, err)
			}
			return out, nil
		})
	}
}

// made is serve for what makes or ends something: status is that of success.
func made[I, O any](status int, h func(*API, context.Context, *I) (*O, error)) func(*API, route) {
	return func(a *API, rt route) {
		op := rt.operation()
		op.Parameters = nil
		op.DefaultStatus = status
		huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
			out, err := h(a, ctx, in)
			if err != nil {
				return nil, a.problem(ctx, err)
			}
			return out, nil
		})
	}
}

// raw mounts a handler that reads its request itself.
func raw(h func(*API) http.HandlerFunc) func(*API, route) {
	return func(a *API, rt route) {
		a.mux.Handle(rt.pattern(), a.guarded(rt.access, h(a)))
		a.describe(rt)
	}
}

// muxOf makes huma register its handlers behind the table's access.
type muxOf struct{ *API }

// HandleFunc implements [humago.Mux].
func (m muxOf) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	for _, rt := range m.routes {
		if rt.pattern() == pattern {
			handler := http.Handler(http.HandlerFunc(h))
			if around := m.other[pattern]; around != nil {
				handler = around(handler)
			}
			m.mux.Handle(pattern, m.guarded(rt.access, handler))
			return
		}
	}
	panic("api: a route that is not in the table: " + pattern) // a fault of the program, met by every test
}

// ServeHTTP implements [humago.Mux].
func (m muxOf) ServeHTTP(w http.ResponseWriter, r *http.Request) { m.mux.ServeHTTP(w, r) }

// mountAll registers every route of the table.
func (a *API) mountAll() {
	for _, rt := range a.routes {
		if rt.mount != nil {
			rt.mount(a, rt)
			continue
		}
		a.mux.Handle(rt.pattern(), a.guarded(rt.access, http.HandlerFunc(a.notServed)))
		a.describe(rt)
	}
	a.mux.HandleFunc("/api/", a.unknown)
	a.mux.HandleFunc("/2010-04-01/", a.doors.TwilioUnknown)
	a.mux.Handle("/", a.cfg.pages())
}

// notServed answers what is documented and not there yet.
func (a *API) notServed(w http.ResponseWriter, r *http.Request) {
	a.fail(w, r, huma.NewError(http.StatusNotImplemented, r.Method+" "+r.URL.Path+" is "+notYet))
}

// unknown answers a path below /api/ that is not in the table, or not with this
// method.
func (a *API) unknown(w http.ResponseWriter, r *http.Request) {
	var allow []string
	for _, method := range []string{"GET", "POST", "PUT", "DELETE"} {
		probe := r.Clone(r.Context())
		probe.Method = method
		if _, pattern := a.mux.Handler(probe); pattern != "/api/" {
			allow = append(allow, method)
		}
	}
	if len(allow) == 0 {
		a.fail(w, r, huma.NewError(http.StatusNotFound, "no such path"))
		return
	}
	w.Header().Set("Allow", strings.Join(allow, ", "))
	a.fail(w, r, huma.NewError(http.StatusMethodNotAllowed, "not with this method"))
}

// Who may use what, as the table below names it.
var (
	open        = access{open: true}
	ownLogin    = access{open: true, door: true}
	anybody     = access{roles: everyone, scopes: Scopes}
	textRead    = access{roles: everyone, scopes: []string{ScopeSMS}}
	textWrite   = access{roles: workers, scopes: []string{ScopeSMS}}
	textConfig  = access{roles: bosses, scopes: []string{ScopeSMS, ScopeConfig}}
	textPolicy  = access{roles: readers, scopes: []string{ScopeSMS, ScopeConfig}}
	callRead    = access{roles: everyone, scopes: []string{ScopeCalls}}
	lineRead    = access{roles: readers, scopes: []string{ScopeCalls, ScopeConfig}}
	soundRead   = access{roles: everyone, scopes: []string{ScopeRecordings}}
	reportRead  = access{roles: readers, scopes: []string{ScopeReports}}
	hookRead    = access{roles: readers, scopes: []string{ScopeConfig}}
	siteEdit    = access{roles: bosses, scopes: []string{ScopeConfig}}
	siteRead    = access{roles: everyone, scopes: []string{ScopeConfig, ScopeCalls}}
	siteBosses  = access{roles: readers, scopes: []string{ScopeConfig}}
	socketScope = access{roles: everyone, scopes: []string{ScopeCalls, ScopeSMS}}
)

// table is every route: what is documented and nothing else. What has no
// handler is answered with 501.
func table() []route {
	return []route{
		{"POST", "/api/v1/login", "log in with {user, password}", open, serve((*API).login)},
		{"POST", "/api/v1/logout", "end the session", anybody, made(http.StatusNoContent, (*API).logout)},
		{"GET", "/api/v1/me", "who is logged in", anybody, serve((*API).me)},
		{"GET", "/api/v1/security", "why there is no microphone", open, serve((*API).security)},
		{"GET", "/api/v1/ws", "the WebSocket, subprotocol " + subprotocol, socketScope, mountSocket},

		{"POST", "/api/v1/sms/jobs", "send a text to one or many", textWrite, mountJob},
		{"GET", "/api/v1/sms/jobs/{id}", "a job with its messages", textRead, serve((*API).getJob)},
		{"DELETE", "/api/v1/sms/jobs/{id}", "cancel what is not yet submitted", textWrite, serve((*API).cancelJob)},
		{"DELETE", "/api/v1/sms/jobs", "cancel by ?ref=", textWrite, serve((*API).cancelRef)},
		{"POST", "/api/v1/sms/jobs/{id}/confirm", "let a large job go", textConfig, serve((*API).confirmJob)},
		{"POST", "/api/v1/sms/jobs/{id}/ack", "acknowledge a notice", textWrite, serve((*API).ackJob)},
		{"GET", "/api/v1/sms/messages", "messages by number, status, reference", textRead, serve((*API).listMessages)},
		{"GET", "/api/v1/sms/inbox", "incoming texts", textRead, serve((*API).listInbox)},
		{"POST", "/api/v1/sms/inbox/{id}/claim", "take an incoming text", textWrite, serve((*API).claimText)},
		{"POST", "/api/v1/sms/inbox/{id}/answer", "answer an incoming text", textWrite, made(http.StatusAccepted, (*API).answerText)},
		{"POST", "/api/v1/sms/inbox/{id}/match", "say which job it answers", textWrite, serve((*API).matchText)},
		{"GET", "/api/v1/sms/blacklist", "numbers refused", textPolicy, serve((*API).getBlacklist)},
		{"PUT", "/api/v1/sms/blacklist", "numbers refused", textConfig, serve((*API).putBlacklist)},
		{"GET", "/api/v1/sms/quiet_hours", "hours without marketing", textPolicy, serve((*API).getQuietHours)},
		{"PUT", "/api/v1/sms/quiet_hours", "hours without marketing", textConfig, serve((*API).putQuietHours)},
		{"GET", "/api/v1/sms/routes", "prefixes and accounts", textPolicy, serve((*API).getTextRoutes)},
		{"PUT", "/api/v1/sms/routes", "prefixes and accounts", textConfig, serve((*API).putTextRoutes)},
		{"GET", "/api/v1/sms/codes", "words for Stat", textPolicy, serve((*API).getCodes)},
		{"PUT", "/api/v1/sms/codes", "words for Stat", textConfig, serve((*API).putCodes)},

		{"GET", "/api/v1/webhooks/dead", "notices given up", hookRead, serve((*API).listDead)},
		{"POST", "/api/v1/webhooks/dead/{id}/replay", "send one again", siteEdit, serve((*API).replay)},

		{"GET", "/api/v1/calls", "records, newest first", callRead, serve((*API).listCalls)},
		{"GET", "/api/v1/calls/{id}", "one record", callRead, serve((*API).getCall)},
		{"POST", "/api/v1/calls", "click to dial", forWorkers, made(http.StatusAccepted, (*API).postCall)},
		{"POST", "/api/v1/calls/{id}/{op}", "a command of the WebSocket", forWorkers, raw(func(a *API) http.HandlerFunc { return a.callOp })},
		{"GET", "/api/v1/missed", "who wanted an agent and got none", callRead, serve((*API).listMissed)},
		{"POST", "/api/v1/missed/{id}/claim", "see to a missed call", forWorkers, serve((*API).claimMissed)},
		{"POST", "/api/v1/missed/{id}/release", "give it back", forWorkers, serve((*API).releaseMissed)},
		{"POST", "/api/v1/missed/{id}/done", "say what came of it", forWorkers, serve((*API).finishMissed)},
		{"GET", "/api/v1/lines", "analogue lines and their boxes", lineRead, serve((*API).listLines)},
		{"GET", "/api/v1/trunks", "SIP trunks as they stand", lineRead, serve((*API).listTrunks)},
		{"GET", "/api/v1/bans", "addresses that are not heard", lineRead, serve((*API).listBans)},
		{"DELETE", "/api/v1/bans/{address}", "hear an address again", siteEdit, serve((*API).deleteBan)},
		{"GET", "/api/v1/recordings", "recordings, newest first", soundRead, serve((*API).listRecordings)},
		{"GET", "/api/v1/recordings/{id}", "one recording", soundRead, serve((*API).getRecording)},
		{"GET", "/api/v1/recordings/{id}" + audioSuffix, "its sound, in ranges", soundRead, raw(func(a *API) http.HandlerFunc { return a.audio })},
		{"GET", "/api/v1/recordings/{id}/peaks", "how loud it is along its time; no listening", soundRead, serve((*API).getPeaks)},
		{"GET", "/api/v1/recordings/{id}/notes", "what people wrote at it", soundRead, serve((*API).listRemarks)},
		{"POST", "/api/v1/recordings/{id}/notes", "write at a moment of it", soundNote, made(http.StatusCreated, (*API).postRemark)},
		{"DELETE", "/api/v1/recordings/{id}/notes/{note}", "remove an own note", soundNote, made(http.StatusNoContent, (*API).deleteRemark)},
		{"GET", "/api/v1/calls/{id}/timeline", "what happened in a call", callRead, serve((*API).getTimeline)},
		{"GET", "/api/v1/figures", "the day so far, by queue", figureRead, serve((*API).getFigures)},
		{"GET", "/api/v1/wallboard", "figures and the agents' states, without numbers", wallRead, serve((*API).getWallboard)},
		{"GET", "/api/v1/waiting", "callers in queues", floorRead, serve((*API).waiting)},
		{"GET", "/api/v1/reports/{what}", "calls, queues, agents, sms", reportRead, nil},
		{"POST", "/api/v1/customers:batch", "many customers", siteEdit, serve((*API).batchCustomers)},

		{"GET", "/healthz", "the process lives", open, serve((*API).health)},
		{"GET", "/readyz", "the parts' state", open, serve((*API).ready)},
		{"GET", "/metrics", "Prometheus; open on loopback", open, mountMetrics},
		{"GET", "/openapi.json", "this description", open, raw(func(a *API) http.HandlerFunc { return a.openapi })},
		{"GET", "/docs", "this description to read", open, raw(func(a *API) http.HandlerFunc { return a.docs })},
	}
}

// objects are the site's sections: GET for a list and one, PUT and DELETE; and
// what administrators do beside.
func objects() []route {
	var out []route
	for _, s := range sections {
		base := "/api/v1/" + s.kind
		one := base + "/{id}"
		out = append(out,
			route{"GET", base, "all " + s.kind, s.read, s.list},
			route{"GET", one, "one of " + s.kind, s.read, s.get},
			route{"PUT", one, "make or change one of " + s.kind, siteEdit, s.put},
			route{"DELETE", one, "remove one of " + s.kind, siteEdit, s.delete},
		)
	}
	return append(out, administration()...)
}

// links are what a text may hold a link to.
func links() []route {
	return []route{
		{"GET", "/a/{token}", "the link of a notice", open, raw(func(a *API) http.HandlerFunc { return a.link })},
		{"POST", "/a/{token}", "a button behind it", open, raw(func(a *API) http.HandlerFunc { return a.press })},
	}
}

func mountSocket(a *API, rt route) {
	a.mux.HandleFunc(rt.pattern(), a.socketDoor) // which judges for itself, with rt's access
	a.describe(rt)
}

func mountMetrics(a *API, rt route) {
	a.mux.Handle(rt.pattern(), a.scrape(a.metrics.handler(a.deps.Gauges)))
	a.describe(rt)
}
