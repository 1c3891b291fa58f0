//go:build e2e

package e2e

import (
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"callbox/sms/door/doortest"
)

// ticketSystem is a MariaDB with the tables of the documentation.
type ticketSystem struct {
	*sql.DB
	t   *testing.T
	dsn string
}

func newTicketSystem(t *testing.T) *ticketSystem {
	t.Helper()
	dsn, db := doortest.MariaDB(t).Database(t)
	tables, err := os.ReadFile("../../docs/example/database-door/mysql.sql")
	if err != nil {
		t.Fatal(err)
	}
	s := &ticketSystem{DB: db, t: t, dsn: dsn}
	s.exec(string(tables))
	return s
}

func (s *ticketSystem) exec(statement string) {
	s.t.Helper()
	if _, err := s.Exec(statement); err != nil {
		s.t.Fatalf("%.80s: %v", statement, err)
	}
}

// await waits until a query gives this text.
func (s *ticketSystem) await(query, want string) {
	s.t.Helper()
	wait(s.t, query+" = "+want, func() bool {
		var got sql.NullString
		if err := s.QueryRow(query).Scan(&got); err != nil && err != sql.ErrNoRows {
			s.t.Fatalf("%s: %v", query, err)
		}
		return got.String == want
	})
}

// door is the section of callbox.yaml, as the documentation has it.
func (s *ticketSystem) door() string {
	return `database_door:
  - name: erp
    driver: mysql
    dsn: "` + s.dsn + `"
    every: 200ms
    outbox: {table: sms_outbox, id: id, to: phone, text: body, template: template, vars: vars, ref: ticket_no,
      status: status, error: error, changed: updated_at, sent: sent_at, delivered: delivered_at, message: message_id, parts: parts}
    inbox: {table: sms_inbox, id: callbox_id, from: phone, text: body, time: received_at, ref: ticket_no, keyword: keyword}
`
}

// TestRowBecomesText shows the database door: a trigger's row becomes a
// delivered text, and its reply a row.
func TestRowBecomesText(t *testing.T) {
	tickets := newTicketSystem(t)
	_, centre, control := newCentre(t)
	b := newBox(t, layout{smsc: centre, extra: tickets.door()})
	tickets.exec("INSERT INTO work_orders VALUES ('WO-7', '赵工', '13800138000', '安顺物业', '文三路100号', '电梯困人')")
	tickets.await("SELECT status FROM sms_outbox WHERE ticket_no = 'WO-7'", "delivered")
	tickets.await("SELECT count(*) FROM sms_outbox WHERE delivered_at >= sent_at AND message_id IS NOT NULL AND parts = 1 AND error = ''", "1")
	resp, err := http.Post(control+"/mo", "application/json", strings.NewReader(`{"from":"13800138000","to":"10690000","text":"1"}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	tickets.await("SELECT concat(phone, ' ', body, ' ', ticket_no, ' ', keyword) FROM sms_inbox", "13800138000 1 WO-7 接单")
	tickets.exec("INSERT INTO sms_outbox (phone, body) VALUES ('12', 'x')")
	tickets.await("SELECT status FROM sms_outbox WHERE phone = '12'", "failed")
	tickets.await("SELECT count(*) FROM sms_outbox WHERE error LIKE 'phone: %'", "1")
	var ready struct {
		Parts map[string]struct{ OK bool }
	}
	b.call("GET", "/readyz", nil, &ready)
	if part, there := ready.Parts["database_door erp"]; !there || !part.OK {
		t.Errorf("readyz: %+v", ready.Parts)
	}
}

// TestRowsSurviveKills kills the daemon again and again while it works off the
// outbox: every row is delivered, and no row became two jobs.
func TestRowsSurviveKills(t *testing.T) {
	tickets := newTicketSystem(t)
	_, centre, _ := newCentre(t)
	b := newBox(t, layout{smsc: centre, extra: tickets.door()})
	const rows, kills = 1000, 8
	for k := range kills {
		var values []string
		for i := range rows / kills {
			values = append(values, fmt.Sprintf("('138%08d', 'Nr. %d')", k*rows/kills+i, i))
		}
		tickets.exec("INSERT INTO sms_outbox (phone, body) VALUES " + strings.Join(values, ", "))
		tickets.await("SELECT count(*) > "+fmt.Sprint(k*rows/kills)+" FROM sms_outbox WHERE status IS NOT NULL", "1")
		time.Sleep(time.Duration(k) * 15 * time.Millisecond) // another step each time
		b.end(syscall.SIGKILL)
		b.start()
	}
	tickets.await("SELECT count(*) FROM sms_outbox WHERE status = 'delivered'", fmt.Sprint(rows))
	jobs := map[string]int{}
	for cursor := ""; ; {
		var page struct {
			Items []struct{ Job, To string }
			Next  string
		}
		b.call("GET", "/api/v1/sms/messages?limit=1000&cursor="+cursor, nil, &page)
		for _, m := range page.Items {
			jobs[m.To]++
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if len(jobs) != rows {
		t.Errorf("texts went to %d numbers, want %d", len(jobs), rows)
	}
	for to, n := range jobs {
		if n != 1 {
			t.Errorf("%s got %d jobs", to, n)
		}
	}
}
