package config

import (
	"strings"
	"testing"
	"time"
)

const mysqlDSN = "erp:geheim@tcp(127.0.0.1:3306)/tickets"

func TestDatabaseDoor(t *testing.T) {
	secret := write(t, "dsn", mysqlDSN+"\n")
	box, err := Load(write(t, "callbox.yaml", `
database_door:
  - name: erp
    driver: mysql
    dsn_file: "`+secret+`"
    every: 2s
    outbox: {table: sms_outbox, id: id, to: phone, text: body, status: status, error: error, changed: updated_at, ref: ticket_no}
    inbox: {table: sms_inbox, from: phone, text: body, time: received_at, ref: ticket_no}
  - name: crm
    driver: postgres
    dsn: postgres://crm:geheim@127.0.0.1/crm
    outbox: {table: crm.sms_outbox, id: 编号, to: 手机号, template: template, vars: vars, status: status, values: {new: "0", claimed: "1"}}
`))
	if err != nil {
		t.Fatal(err)
	}
	erp, crm := box.DatabaseDoor[0], box.DatabaseDoor[1]
	if erp.DSN != mysqlDSN || erp.Every != 2*time.Second || erp.Outbox.To != "phone" || erp.Inbox.Time != "received_at" {
		t.Errorf("erp = %+v", erp)
	}
	if crm.Outbox.Values["new"] != "0" || crm.Zone != box.Location() {
		t.Errorf("crm = %+v", crm)
	}
}

func TestFaultsOfDatabaseDoors(t *testing.T) {
	_, err := Load(write(t, "callbox.yaml", `database_door:
  - name: erp
    driver: mysql
    dsn: "erp:geheim@nowhere"
    every: 1ms
    outbox: {table: "sms outbox", id: id, to: "phone; DROP TABLE x", status: status, colour: red}
    inbox: {from: phone}
  - name: erp
    driver: db2
    outbox: {table: o, id: id, to: id, text: 2body, values: {new: "0", queued: "0", delivered: claimed, sent: x}}
  - {name: "a b", driver: postgres, dsn: ""}
`))
	if err == nil {
		t.Fatal("no fault")
	}
	if strings.Contains(err.Error(), "geheim") {
		t.Errorf("the password is shown:\n%v", err)
	}
	for _, want := range []string{
		":4:5: database_door[0].dsn: is none for mysql, such as user:password@tcp(",
		":5:5: database_door[0].every: 1ms is not from 100ms",
		":6:14: database_door[0].outbox.table: \"sms outbox\" is no table name",
		":6:43: database_door[0].outbox.to: \"phone; DROP TABLE x\" is no column name",
		"database_door[0].outbox.text: is missing",
		"database_door[0].outbox.colour: is no key",
		":7:13: database_door[0].inbox.from: stands without a table",
		":8:5: database_door[1].name: \"erp\" is taken",
		":9:5: database_door[1].driver: \"db2\" is none of",
		"database_door[1].outbox.to: \"id\" is the column of id",
		"database_door[1].outbox.status: is missing",
		"database_door[1].outbox.text: \"2body\" is no column name",
		"database_door[1].outbox.values.queued: \"0\" means new",
		"database_door[1].outbox.values.delivered: \"claimed\" means claimed",
		"database_door[1].outbox.values.sent: is no status",
		"database_door[2].name: \"a b\" is not",
		"database_door[2].dsn: is none for postgres",
		"database_door[2].outbox: wants table",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no fault with %q in:\n%v", want, err)
		}
	}
}
