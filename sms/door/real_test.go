package door

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"callbox/sms/door/doortest"
)

// TestMariaDB and TestPostgreSQL run the door against real servers. Without
// one they are skipped, in CI they fail.
func TestMariaDB(t *testing.T) {
	t.Parallel()
	testReal(t, doortest.MariaDB(t))
}

func TestPostgreSQL(t *testing.T) {
	t.Parallel()
	testReal(t, doortest.PostgreSQL(t))
}

// real is a door on a real database.
type real struct {
	*office
	server *doortest.Server
	cfg    Config
	db     *sql.DB
}

func testReal(t *testing.T, server *doortest.Server) {
	for _, test := range []struct {
		name string
		run  func(*real)
	}{
		{"work order", (*real).workOrder},
		{"odd columns", (*real).oddColumns},
		{"two boxes", (*real).twoBoxes},
		{"program at work", (*real).programAtWork},
		{"claims", (*real).claims},
		{"narrow columns", (*real).narrowColumns},
		{"wrong password", (*real).wrongPassword},
		{"missing column", (*real).missingColumn},
		{"status is a number", (*real).statusIsNumber},
		{"thousand rows", (*real).thousandRows},
		{"server dies", (*real).serverDies},
		{"server hangs", (*real).serverHangs},
	} {
		if test.name == "server hangs" && server.Driver != MySQL {
			continue // PostgreSQL has a process a connection and cannot be stopped as one
		}
		t.Run(test.name, func(t *testing.T) {
			r := &real{office: openOffice(t), server: server}
			dsn, db := server.Database(t)
			r.db = db
			r.cfg = Config{
				Name: erp, Driver: server.Driver, DSN: dsn, Every: oftenest, Zone: time.FixedZone("CST", 8*3600),
				Outbox: Outbox{
					Table: "sms_outbox", ID: "id", To: "phone", Text: "body", Template: "template", Vars: "vars", Status: "status", Error: "error", Changed: "updated_at",
					Ref: "ticket_no", Sent: "sent_at", Delivered: "delivered_at", Message: "message_id", Parts: "parts",
				},
				Inbox: Inbox{
					Table: "sms_inbox", ID: "callbox_id", From: "phone", Text: "body", Time: "received_at", Ref: "ticket_no", Keyword: "keyword",
				},
			}
			test.run(r)
		})
	}
}

// sample makes the tables of the documentation.
func (r *real) sample() {
	r.t.Helper()
	text, err := os.ReadFile(filepath.Join("../../docs/example/database-door", r.server.Driver+".sql"))
	if err != nil {
		r.t.Fatal(err)
	}
	r.exec(string(text))
}

func (r *real) exec(statement string) {
	r.t.Helper()
	if _, err := r.db.Exec(statement); err != nil {
		r.t.Fatalf("%.80s: %v", statement, err)
	}
}

func (r *real) open() *Door {
	r.t.Helper()
	d, err := New(r.cfg, r.deps())
	if err != nil {
		r.t.Fatal(err)
	}
	return d
}

// text is one value, as text; NULL is "NULL".
func (r *real) text(query string) string {
	r.t.Helper()
	var v sql.NullString
	if err := r.db.QueryRow(query).Scan(&v); err != nil {
		r.t.Fatalf("%s: %v", query, err)
	}
	if !v.Valid {
		return "NULL"
	}
	return v.String
}

func (r *real) awaitText(query, want string) {
	r.t.Helper()
	got := ""
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if got = r.text(query); got == want {
			return
		}
	}
	r.t.Fatalf("%s gives %q, want %q; log:\n%s", query, got, want, r.log)
}

// plainPhone is the n-th number to which texts are delivered.
func plainPhone(n int) string { return phone(10 * n) }

func (r *real) insert(n int, to, body string) {
	r.t.Helper()
	for i := range n {
		number := to
		if to == "" {
			number = plainPhone(i)
		}
		r.exec(fmt.Sprintf("INSERT INTO sms_outbox (phone, body, ticket_no) VALUES ('%s', '%s', 'WO-%d')", number, body, i))
	}
}

// workOrder is the sample of the documentation: a trigger's row is delivered,
// and its reply is a row.
func (r *real) workOrder() {
	r.sample()
	r.run(r.open())
	r.exec("INSERT INTO work_orders VALUES ('WO-7', '赵工', '13800138000', '安顺物业', '文三路100号', '电梯困人')")
	r.awaitText("SELECT status FROM sms_outbox", "delivered")
	if got := r.line.texts("13800138000"); len(got) != 1 || got[0] != "赵工,新工单WO-7:安顺物业 文三路100号 电梯困人。回复1接单" {
		r.t.Errorf("sent %q", got)
	}
	if got := r.text("SELECT parts FROM sms_outbox WHERE error = '' AND message_id IS NOT NULL AND delivered_at >= sent_at"); got != "1" {
		r.t.Errorf("parts = %s", got)
	}
	now := map[string]string{
		MySQL: "UTC_TIMESTAMP() + INTERVAL 8 HOUR", // the column knows no zone
	}[r.server.Driver]
	if now == "" {
		now = "now()"
	}
	if got := r.text("SELECT count(*) FROM sms_outbox WHERE updated_at BETWEEN " + now + " - INTERVAL '1' MINUTE AND " + now + " + INTERVAL '1' MINUTE"); got != "1" {
		r.t.Errorf("updated_at is %s", r.text("SELECT updated_at FROM sms_outbox"))
	}
	r.line.receive("8613800138000", "1 👍")
	r.awaitText("SELECT count(*) FROM sms_inbox", "1")
	if got := r.text("SELECT concat(phone, ' ', body, ' ', ticket_no, ' ', keyword) FROM sms_inbox"); got != "13800138000 1 👍 WO-7 接单" {
		r.t.Errorf("inbox: %s", got)
	}
}

// oddColumns has text ids, numbers as phones and statuses, templates with their
// variables, and a time to send at.
func (r *real) oddColumns() {
	kinds := map[string][3]string{MySQL: {"JSON", "DATETIME", "VARCHAR(40)"}, Postgres: {"jsonb", "timestamp", "uuid"}}[r.server.Driver]
	r.exec(fmt.Sprintf("CREATE TABLE odd (nr %s PRIMARY KEY, tel BIGINT, tpl VARCHAR(20), txt VARCHAR(100), vars %s, at %s, state INT NOT NULL DEFAULT 0, why VARCHAR(200))", kinds[2], kinds[0], kinds[1]))
	r.cfg.Outbox = Outbox{
		Table: "odd", ID: "nr", To: "tel", Text: "txt", Template: "tpl", Vars: "vars", SendAt: "at", Status: "state", Error: "why",
		Values: map[string]string{"new": "0", "claimed": "1", "queued": "2", "submitted": "3", "delivered": "4", "failed": "9", "unknown": "8", "expired": "9", "canceled": "9", "scheduled": "2"},
	}
	r.cfg.Inbox = Inbox{}
	r.exec(`INSERT INTO odd (nr, tel, tpl, vars) VALUES ('0190aaaa-0000-7000-8000-000000000001', 13900000001, 'order', '{"engineer":"赵工","ref":7}')`)
	r.exec(`INSERT INTO odd (nr, tel, txt, at) VALUES ('0190aaaa-0000-7000-8000-000000000002', 13900000002, 'x', '2020-01-01 08:00:00')`)
	r.exec(`INSERT INTO odd (nr, tel, txt) VALUES ('0190aaaa-0000-7000-8000-000000000003', 13900000091, 'x')`)
	r.exec(`INSERT INTO odd (nr, tel, txt) VALUES ('0190aaaa-0000-7000-8000-000000000004', NULL, 'x')`)
	r.run(r.open())
	r.awaitText("SELECT count(*) FROM odd WHERE state = 4", "2")
	r.awaitText("SELECT count(*) FROM odd WHERE state = 9", "2")
	if got := r.line.texts(phone(1)); len(got) != 1 || got[0] != "赵工,新工单7" {
		r.t.Errorf("sent %q", got)
	}
	if got := r.text("SELECT why FROM odd WHERE tel IS NULL"); !strings.Contains(got, "tel: ") {
		r.t.Errorf("why = %q", got)
	}
	p := mustClaim(r, `INSERT INTO odd (nr, tel, txt, at) VALUES ('0190aaaa-0000-7000-8000-000000000005', 13900000005, 'x', '2030-01-01 08:00:00')`)
	if want := time.Date(2030, 1, 1, 8, 0, 0, 0, r.cfg.Zone); len(p.rows) == 1 && !p.rows[0].sendAt.Equal(want) {
		r.t.Errorf("send_at = %v, want %v", p.rows[0].sendAt, want)
	}
}

// mustClaim claims the one row that a statement inserts, with no door running.
func mustClaim(r *real, statement string) page {
	r.t.Helper()
	db, err := open(r.cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	defer db.Close()
	var p page
	for try := 0; try < 20 && len(p.rows) == 0; try++ { // the running door may be faster
		tx, err := r.db.Begin()
		if err != nil {
			r.t.Fatal(err)
		}
		_, err1 := tx.Exec("DELETE FROM odd WHERE tel = 13900000005")
		_, err2 := tx.Exec(statement)
		if err := tx.Commit(); err != nil || err1 != nil || err2 != nil {
			r.t.Fatal(err1, err2, err)
		}
		if p, err = db.Claim(r.t.Context(), "", 10); err != nil {
			r.t.Fatal(err)
		}
	}
	return p
}

// twoBoxes has two boxes at one table: each row is one text of one of them.
func (r *real) twoBoxes() {
	r.sample()
	r.exec("ALTER TABLE sms_outbox ADD COLUMN box VARCHAR(32)")
	const n = 300
	r.insert(n, "", "x")
	other := &real{office: openOffice(r.t), cfg: r.cfg}
	r.cfg.Outbox.ClaimedBy, other.cfg.Outbox.ClaimedBy, other.cfg.Name = "box", "box", "other"
	r.run(r.open())
	other.run(other.open())
	r.awaitText("SELECT count(*) FROM sms_outbox WHERE status = 'delivered'", fmt.Sprint(n))
	for i := range n {
		if sent := len(r.line.texts(plainPhone(i))) + len(other.line.texts(plainPhone(i))); sent != 1 {
			r.t.Errorf("row %d was sent %d times", i, sent)
		}
	}
	r.t.Logf("boxes took %s and %s rows", r.text("SELECT count(*) FROM sms_outbox WHERE box = 'erp'"), r.text("SELECT count(*) FROM sms_outbox WHERE box = 'other'"))
}

// programAtWork holds a row in a transaction of its own: the others go on, and
// what the program withdraws is not sent.
func (r *real) programAtWork() {
	r.sample()
	r.insert(3, "", "x")
	tx, err := r.db.Begin()
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := tx.Exec("UPDATE sms_outbox SET status = 'withdrawn' WHERE id = 1"); err != nil {
		r.t.Fatal(err)
	}
	d := r.open()
	r.run(d)
	r.awaitText("SELECT count(*) FROM sms_outbox WHERE status = 'delivered'", "2")
	wait(r.t, "the row that is held", func() bool { return strings.Contains(d.State().Why, "outbox: row ") })
	if err := tx.Commit(); err != nil {
		r.t.Fatal(err)
	}
	wait(r.t, "all is well", func() bool { return d.State().Up })
	if got := r.text("SELECT status FROM sms_outbox WHERE phone = '" + phone(0) + "'"); got != "withdrawn" || len(r.line.texts(phone(0))) != 0 {
		r.t.Errorf("status = %s, sent %q", got, r.line.texts(phone(0)))
	}
	r.exec("UPDATE sms_outbox SET status = 'new' WHERE phone = '" + phone(0) + "'")
	r.awaitText("SELECT status FROM sms_outbox WHERE phone = '"+phone(0)+"'", "delivered")
}

// claims looks at single statements: who claims, what is left, and what a row
// that is new again says.
func (r *real) claims() {
	r.sample()
	r.insert(3, "", "x")
	db, err := open(r.cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	defer db.Close()
	ctx := r.t.Context()
	first, err := db.Claim(ctx, "", 2)
	if err != nil || len(first.rows) != 2 || first.last != "2" || first.rows[0].ref != "WO-0" {
		r.t.Fatalf("Claim = %+v, %v", first, err)
	}
	if p, err := db.Claim(ctx, "", 2); err != nil || len(p.rows) != 1 || p.last != "" {
		r.t.Errorf("second Claim = %+v, %v", p, err)
	}
	if p, err := db.Left(ctx, "1", 2); err != nil || len(p.rows) != 2 || p.rows[0].id != "2" || p.last != "3" {
		r.t.Errorf("Left = %+v, %v", p, err)
	}
	r.exec("UPDATE sms_outbox SET status = NULL WHERE id = 1")
	for range 2 { // the second time nothing changes but the time
		if no, err := db.Write(ctx, []change{{row: "1", status: "queued"}, {row: "2", status: "queued"}, {row: "99", status: "queued"}}); err != nil || len(no) > 0 {
			r.t.Errorf("Write = %v, %v", no, err)
		}
	}
	for id, want := range map[string]string{"1": "NULL", "2": "queued", "3": "claimed"} {
		if got := r.text("SELECT status FROM sms_outbox WHERE id = " + id); got != want {
			r.t.Errorf("row %s says %s, want %s", id, got, want)
		}
	}
}

// narrowColumns holds less than what is to be written.
func (r *real) narrowColumns() {
	r.sample()
	switch r.server.Driver {
	case MySQL:
		r.exec("ALTER TABLE sms_outbox MODIFY error VARCHAR(40)")
		r.exec("ALTER TABLE sms_inbox MODIFY body VARCHAR(20) CHARACTER SET utf8mb3 NOT NULL")
	case Postgres:
		r.exec("ALTER TABLE sms_outbox ALTER error TYPE varchar(40)")
		r.exec("ALTER TABLE sms_inbox ALTER body TYPE varchar(20)")
	}
	r.insert(1, strings.Repeat("1", 20), "x")
	r.insert(1, phone(1), "x")
	d := r.open()
	r.run(d)
	r.awaitText("SELECT count(*) FROM sms_outbox WHERE status = 'delivered'", "1")
	r.awaitText("SELECT count(*) FROM sms_outbox WHERE status = 'failed' AND error LIKE 'phone:%'", "1")
	r.line.receive(phone(1), strings.Repeat("长", 30))
	r.line.receive(phone(1), "收到👍")
	r.awaitText("SELECT count(*) FROM sms_inbox", "1")
	want := map[string]string{MySQL: "收到□", Postgres: "收到👍"}[r.server.Driver]
	if got := r.text("SELECT body FROM sms_inbox"); got != want {
		r.t.Errorf("body = %s, want %s", got, want)
	}
	wait(r.t, "words about the long one", func() bool { return strings.HasPrefix(d.State().Why, "inbox: row ") })
}

func (r *real) wrongPassword() {
	r.cfg.DSN = strings.Replace(r.cfg.DSN, doortest.Password, "falsch", 1)
	d := r.open()
	r.run(d)
	want := map[string]string{MySQL: "Access denied", Postgres: "password authentication failed"}[r.server.Driver]
	wait(r.t, want, func() bool { return strings.Contains(d.State().Why, want) })
	if n := r.log.count("database door lost"); n != 1 || r.log.count("falsch") != 0 {
		r.t.Errorf("log:\n%s", r.log)
	}
}

func (r *real) missingColumn() {
	r.sample()
	r.exec("ALTER TABLE sms_outbox DROP COLUMN updated_at")
	r.exec("DROP TABLE sms_inbox")
	r.insert(1, "", "x")
	d := r.open()
	r.run(d)
	r.line.receive(phone(1), "1")
	wait(r.t, "words about both", func() bool {
		why := d.State().Why
		return strings.Contains(why, "outbox: ") && strings.Contains(why, "updated_at") && strings.Contains(why, "inbox: ") && strings.Contains(why, "sms_inbox")
	})
	if n := len(r.line.texts(phone(0))); n != 0 {
		r.t.Errorf("%d texts went out of a table that cannot be written", n)
	}
	r.exec("ALTER TABLE sms_outbox ADD COLUMN updated_at TIMESTAMP NULL")
	r.awaitText("SELECT status FROM sms_outbox", "delivered")
}

// statusIsNumber has a column that cannot hold the words: nothing goes out, not
// even once.
func (r *real) statusIsNumber() {
	r.sample()
	switch r.server.Driver {
	case MySQL:
		r.exec("ALTER TABLE sms_outbox MODIFY status INT NOT NULL DEFAULT 0")
		r.exec("SET GLOBAL sql_mode = ''") // as many old installations have it
		defer r.exec("SET GLOBAL sql_mode = DEFAULT")
	case Postgres:
		r.exec("ALTER TABLE sms_outbox ALTER status TYPE int USING 0")
		r.exec("ALTER TABLE sms_outbox ALTER status SET DEFAULT 0")
	}
	r.insert(1, "", "x")
	d := r.open()
	r.run(d)
	wait(r.t, "words", func() bool { return strings.Contains(d.State().Why, "outbox: ") })
	time.Sleep(time.Second)
	if n := len(r.line.texts(phone(0))); n != 0 {
		r.t.Errorf("%d texts went out", n)
	}
	r.t.Log(d.State().Why)
}

// thousandRows measures; it fails only where it is very slow.
func (r *real) thousandRows() {
	r.sample()
	const n = 1000
	tx, err := r.db.Begin()
	if err != nil {
		r.t.Fatal(err)
	}
	for i := range n {
		if _, err := tx.Exec(fmt.Sprintf("INSERT INTO sms_outbox (phone, body) VALUES ('%s', 'Nr. %d')", plainPhone(i), i)); err != nil {
			r.t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		r.t.Fatal(err)
	}
	begin := time.Now()
	r.run(r.open())
	r.awaitText("SELECT count(*) FROM sms_outbox WHERE status IS NOT NULL AND status != 'claimed'", fmt.Sprint(n))
	taken := time.Since(begin)
	r.awaitText("SELECT count(*) FROM sms_outbox WHERE status = 'delivered'", fmt.Sprint(n))
	r.t.Logf("%d rows taken in %v (%.0f/s), delivered and written back in %v", n, taken.Round(time.Millisecond), n/taken.Seconds(), time.Since(begin).Round(time.Millisecond))
}

// serverDies kills the server while there is work; nothing is lost or doubled.
func (r *real) serverDies() {
	r.sample()
	d := r.open()
	r.run(d)
	const n = 200
	tx, err := r.db.Begin()
	if err != nil {
		r.t.Fatal(err)
	}
	for i := range n {
		if _, err := tx.Exec(fmt.Sprintf("INSERT INTO sms_outbox (phone, body) VALUES ('%s', 'x')", plainPhone(i))); err != nil {
			r.t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		r.t.Fatal(err)
	}
	wait(r.t, "the first texts", func() bool { return len(r.line.texts(phone(0))) > 0 })
	r.server.Stop()
	wait(r.t, "the loss", func() bool { return !d.State().Up })
	r.line.receive(phone(1), "while it is away")
	r.server.Start(r.t)
	r.awaitText("SELECT count(*) FROM sms_outbox WHERE status = 'delivered'", fmt.Sprint(n))
	r.awaitText("SELECT count(*) FROM sms_inbox", "1")
	for i := range n {
		if got := len(r.line.texts(plainPhone(i))); got != 1 {
			r.t.Errorf("row %d was sent %d times", i, got)
		}
	}
	if r.log.count("database door lost") != 1 || r.log.count("database door is back") != 1 {
		r.t.Errorf("log:\n%s", r.log)
	}
}

// serverHangs has a server that takes connections and answers nothing.
func (r *real) serverHangs() {
	r.sample()
	d := r.open()
	r.run(d)
	wait(r.t, "the door", func() bool { return d.State().Up })
	r.server.Pause(r.t, true)
	begin := time.Now()
	wait(r.t, "the loss", func() bool { return !d.State().Up })
	if took := time.Since(begin); took > 3*limit {
		r.t.Errorf("found after %v", took)
	}
	r.server.Pause(r.t, false)
	r.insert(1, phone(1), "x")
	r.awaitText("SELECT status FROM sms_outbox", "delivered")
}
