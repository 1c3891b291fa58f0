package api

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"callbox/cti"
)

// Gauges is what a scrape finds at that moment; the RTP numbers only grow.
// LongestWait and RecordingLag are in seconds.
type Gauges struct {
	CallsActive      int
	QueueWaiting     map[string]int // by queue
	LongestWait      float64
	Agents           map[string]int // by state
	RTPIn, RTPOut    uint64
	RTPLost          uint64
	RecordingsActive int
	RecordingLag     float64
	RecordingErrors  uint64
	SMSQueueDepth    int
	SMSOrphans       int                // reports that wait for their message
	SMSTurned        uint64             // reports whose id came with its bytes turned round
	CMPPWindowUsed   map[string]int     // by account
	CMPPWindow       map[string]int     // by account
	LineState        map[string]float64 // by line: 1 is up
	TrunkCalls       map[string]int     // by trunk
	TrunkRegistered  map[string]float64 // by trunk: 1 is registered
	Concealed, Late  uint64             // frames made up, packets behind their turn, where sound is decoded
	Phones           int                // registered
	Pages            int                // that can be rung
	Banned           int                // addresses
	WebhookPending   int
	JournalSeq       int64
	SIP              map[string]uint64 // what went wrong on the SIP side, by kind
	Panics           uint64            // recovered since the start
}

// Metrics is what is counted and timed, under the names that others graph. Its
// methods may be called from anywhere.
type Metrics struct {
	registry *prometheus.Registry

	calls    *prometheus.CounterVec
	setup    prometheus.Histogram
	pop      prometheus.Histogram
	mos      prometheus.Histogram
	loss     prometheus.Histogram
	jitter   prometheus.Histogram
	trip     prometheus.Histogram
	messages *prometheus.CounterVec
	submit   *prometheus.SummaryVec
	delivery *prometheus.SummaryVec
	answer   *prometheus.SummaryVec
	commit   prometheus.Histogram
}

// NewMetrics makes the metrics in a registry of their own.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		calls:    counters("callbox_calls_total", "Calls that ended, by result.", "result"),
		setup:    seconds("callbox_call_setup_seconds", "Seizing of the line to its answer.", 0.005, 2, 14),
		pop:      seconds("callbox_screen_pop_seconds", "The agent's phone rings to the message on the screen's socket.", 0.001, 2, 14),
		mos:      histogram("callbox_leg_mos", "Estimated quality of legs that ended.", prometheus.LinearBuckets(1, 0.25, 16)),
		loss:     histogram("callbox_leg_loss_ratio", "Packets lost of legs that ended, 0 to 1.", []float64{0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1}),
		jitter:   seconds("callbox_leg_jitter_seconds", "Jitter of legs that ended.", 0.001, 2, 10),
		trip:     seconds("callbox_leg_round_trip_seconds", "Round trip to parties that report, of legs that ended.", 0.001, 2, 12),
		messages: counters("callbox_sms_messages_total", "Changes of messages' status.", "account", "status"),
		submit:   quantiles("callbox_sms_submit_seconds", "A message's acceptance, or its release, to submitted.", "account"),
		delivery: quantiles("callbox_sms_delivery_seconds", "Submitted to delivered.", "account"),
		answer:   quantiles("callbox_sms_answer_seconds", "SUBMIT to the carrier's answer.", "account"),
		commit:   seconds("callbox_db_commit_seconds", "One commit of the database.", 0.0005, 2, 15),
	}
	m.registry.MustRegister(m.calls, m.setup, m.pop, m.mos, m.loss, m.jitter, m.trip, m.messages, m.submit, m.delivery, m.answer, m.commit,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

// quantiles tells the median, p95 and p99 of the last ten minutes.
func quantiles(name, help string, labels ...string) *prometheus.SummaryVec {
	return prometheus.NewSummaryVec(prometheus.SummaryOpts{
		Name: name, Help: help, MaxAge: 10 * time.Minute, AgeBuckets: 5,
		Objectives: map[float64]float64{0.5: 0.02, 0.95: 0.005, 0.99: 0.001},
	}, labels)
}

func seconds(name, help string, first, factor float64, count int) prometheus.Histogram {
	return histogram(name, help, prometheus.ExponentialBuckets(first, factor, count))
}

func histogram(name, help string, buckets []float64) prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
}

// CallEnded counts a call with its result and quality.
func (m *Metrics) CallEnded(c *cti.CDR) {
	if c.Result == nil {
		return
	}
	m.calls.WithLabelValues(*c.Result).Inc()
	for _, leg := range c.Legs {
		m.legEnded(leg)
	}
}

// legEnded counts the quality of a leg that was heard.
func (m *Metrics) legEnded(l cti.LegRecord) {
	if l.MOS == nil {
		return
	}
	m.mos.Observe(*l.MOS)
	m.loss.Observe(l.Loss / 100)
	m.jitter.Observe(l.JitterMS / 1000)
	if l.RTTMS != nil {
		m.trip.Observe(*l.RTTMS / 1000)
	}
}

// Ledger is next, whose final records are counted.
func (m *Metrics) Ledger(next cti.Ledger) cti.Ledger { return countedLedger{next, m} }

type countedLedger struct {
	cti.Ledger
	metrics *Metrics
}

// Close implements [cti.Ledger].
func (l countedLedger) Close(ctx context.Context, cdr cti.CDR) error {
	l.metrics.CallEnded(&cdr)
	if !cdr.Times.Seize.IsZero() && !cdr.Times.Answer.IsZero() {
		l.metrics.CallSetup(cdr.Times.Answer.Sub(cdr.Times.Seize.Time))
	}
	return l.Ledger.Close(ctx, cdr)
}

// CallSetup times seizing of a line to its answer.
func (m *Metrics) CallSetup(d time.Duration) { m.setup.Observe(d.Seconds()) }

// ScreenPop times the ring of an agent's phone to the message on his socket.
func (m *Metrics) ScreenPop(d time.Duration) { m.pop.Observe(max(0, d.Seconds())) }

// Message counts a message's change of status.
func (m *Metrics) Message(account, status string) {
	m.messages.WithLabelValues(account, status).Inc()
}

// Account begins the series of an account at a carrier of texts.
func (m *Metrics) Account(name string) {
	for _, v := range []*prometheus.SummaryVec{m.submit, m.delivery, m.answer} {
		v.WithLabelValues(name)
	}
}

// Submit times a message's acceptance, or its release, to submitted.
func (m *Metrics) Submit(account string, d time.Duration) {
	m.submit.WithLabelValues(account).Observe(d.Seconds())
}

// Delivery times submitted to delivered.
func (m *Metrics) Delivery(account string, d time.Duration) {
	m.delivery.WithLabelValues(account).Observe(d.Seconds())
}

// Answer times a SUBMIT to the carrier's answer.
func (m *Metrics) Answer(account string, d time.Duration) {
	m.answer.WithLabelValues(account).Observe(d.Seconds())
}

// Commit times one commit of the database.
func (m *Metrics) Commit(d time.Duration) { m.commit.Observe(d.Seconds()) }

// handler serves the scrape; at is asked for the gauges of each.
func (m *Metrics) handler(at func(context.Context) Gauges) http.Handler {
	if at != nil {
		m.registry.MustRegister(snapshotCollector(at))
	}
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// snapshotCollector asks once a scrape for all gauges.
type snapshotCollector func(context.Context) Gauges

// Describe sends nothing: the collector is unchecked, since labels come and go.
func (snapshotCollector) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (s snapshotCollector) Collect(out chan<- prometheus.Metric) {
	g := s(context.Background())
	value := func(kind prometheus.ValueType, name string, v float64, pairs ...string) {
		var names, values []string
		for i := 0; i+1 < len(pairs); i += 2 {
			names, values = append(names, pairs[i]), append(values, pairs[i+1])
		}
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, helpOf[name], names, nil), kind, v, values...)
	}
	gauge := func(name string, v float64, pairs ...string) { value(prometheus.GaugeValue, name, v, pairs...) }
	count := func(name string, v uint64, pairs ...string) {
		value(prometheus.CounterValue, name, float64(v), pairs...)
	}
	gauge("callbox_calls_active", float64(g.CallsActive))
	gauge("callbox_queue_longest_wait_seconds", g.LongestWait)
	gauge("callbox_recordings_active", float64(g.RecordingsActive))
	gauge("callbox_recording_lag_seconds", g.RecordingLag)
	gauge("callbox_sms_queue_depth", float64(g.SMSQueueDepth))
	gauge("callbox_sms_orphan_reports", float64(g.SMSOrphans))
	count("callbox_sms_turned_reports_total", g.SMSTurned)
	gauge("callbox_webhook_pending", float64(g.WebhookPending))
	gauge("callbox_journal_seq", float64(g.JournalSeq))
	count("callbox_rtp_packets_total", g.RTPIn, "dir", "in")
	count("callbox_rtp_packets_total", g.RTPOut, "dir", "out")
	count("callbox_rtp_lost_total", g.RTPLost)
	count("callbox_rtp_concealed_total", g.Concealed)
	count("callbox_rtp_late_total", g.Late)
	gauge("callbox_phones_registered", float64(g.Phones))
	gauge("callbox_pages", float64(g.Pages))
	gauge("callbox_sip_banned", float64(g.Banned))
	count("callbox_recording_errors_total", g.RecordingErrors)
	count("callbox_panics_total", g.Panics)
	eachOf(g.SIP, func(k string, v float64) { count("callbox_sip_faults_total", uint64(v), "kind", k) })
	eachOf(g.QueueWaiting, func(k string, v float64) { gauge("callbox_queue_waiting", v, "queue", k) })
	eachOf(g.Agents, func(k string, v float64) { gauge("callbox_agents", v, "state", k) })
	eachOf(g.CMPPWindowUsed, func(k string, v float64) { gauge("callbox_cmpp_window_used", v, "account", k) })
	eachOf(g.CMPPWindow, func(k string, v float64) { gauge("callbox_cmpp_window", v, "account", k) })
	eachOf(g.TrunkCalls, func(k string, v float64) { gauge("callbox_trunk_calls", v, "trunk", k) })
	eachOf(g.TrunkRegistered, func(k string, v float64) { gauge("callbox_trunk_registered", v, "trunk", k) })
	eachOf(g.LineState, func(k string, v float64) { gauge("callbox_line_state", v, "line", k) })
}

func eachOf[V int | uint64 | float64](m map[string]V, f func(string, float64)) {
	for k, v := range m {
		f(k, float64(v))
	}
}

var helpOf = map[string]string{
	"callbox_calls_active":               "Calls now in the box.",
	"callbox_queue_longest_wait_seconds": "The longest wait in any queue.",
	"callbox_recordings_active":          "Recordings now running.",
	"callbox_recording_lag_seconds":      "Oldest sound not yet on disk.",
	"callbox_sms_queue_depth":            "Messages waiting to be submitted.",
	"callbox_sms_orphan_reports":         "Reports of the last 72 h that no message was found for.",
	"callbox_sms_turned_reports_total":   "Reports whose message id came with its bytes turned round.",
	"callbox_webhook_pending":            "Notices waiting to be delivered.",
	"callbox_journal_seq":                "Number of the newest event.",
	"callbox_rtp_packets_total":          "RTP packets.",
	"callbox_rtp_lost_total":             "RTP packets that did not arrive.",
	"callbox_rtp_concealed_total":        "Frames of 20 ms made up for lost sound, where sound is decoded.",
	"callbox_rtp_late_total":             "RTP packets that came after their turn, where sound is decoded.",
	"callbox_phones_registered":          "Phones registered.",
	"callbox_pages":                      "Pages that are phones.",
	"callbox_sip_banned":                 "Addresses that are not heard.",
	"callbox_trunk_calls":                "Calls over a trunk.",
	"callbox_trunk_registered":           "1 where a trunk has us registered.",
	"callbox_recording_errors_total":     "Errors of the recorder.",
	"callbox_panics_total":               "Panics that ended one call or request and nothing else.",
	"callbox_sip_faults_total":           "SIP messages refused, dropped or malformed, and what else went wrong.",
	"callbox_queue_waiting":              "Callers waiting.",
	"callbox_agents":                     "Agents, by state.",
	"callbox_cmpp_window_used":           "Submits without an answer yet.",
	"callbox_cmpp_window":                "SUBMITs that may be without an answer at present: fewer while answers are slow.",
	"callbox_line_state":                 "1 where a line or trunk is up.",
}

// scrape lets in loopback and whoever may read metrics. A request that came
// through a proxy is not from loopback.
func (a *API) scrape(next http.Handler) http.Handler {
	guarded := a.guarded(access{roles: readers, scopes: []string{ScopeMetrics}}, next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if fromLoopback(r) {
			next.ServeHTTP(w, r)
			return
		}
		guarded.ServeHTTP(w, r)
	})
}
