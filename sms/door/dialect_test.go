package door

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestStatements has the SQL of each dialect word by word: two of them are not
// run by any test.
func TestStatements(t *testing.T) {
	want := map[string][2]string{
		MySQL: {
			"SELECT CAST(`id` AS CHAR) FROM `erp`.`sms_outbox` WHERE (`status` IS NULL OR `status` = ? OR `status` = ?) AND `id` > ? ORDER BY `id` LIMIT 5",
			"SELECT CAST(`id` AS CHAR), CAST(`status` AS CHAR), `phone`, `body` FROM `erp`.`sms_outbox` WHERE `id` IN (?)",
		},
		Postgres: {
			`SELECT CAST("id" AS TEXT) FROM "erp"."sms_outbox" WHERE ("status" IS NULL OR "status" = $1 OR "status" = $2) AND "id" > $3 ORDER BY "id" LIMIT 5`,
			`SELECT CAST("id" AS TEXT), CAST("status" AS TEXT), "phone", "body" FROM "erp"."sms_outbox" WHERE "id" IN ($1)`,
		},
		SQLServer: {
			"SELECT CONVERT(NVARCHAR(255), [id]) FROM [erp].[sms_outbox] WHERE ([status] IS NULL OR [status] = @p1 OR [status] = @p2) AND [id] > @p3 ORDER BY [id] OFFSET 0 ROWS FETCH NEXT 5 ROWS ONLY",
			"SELECT CONVERT(NVARCHAR(255), [id]), CONVERT(NVARCHAR(255), [status]), [phone], [body] FROM [erp].[sms_outbox] WHERE [id] IN (@p1)",
		},
		Oracle: { // where the empty text is NULL
			`SELECT TO_CHAR("ID") FROM "ERP"."SMS_OUTBOX" WHERE ("STATUS" IS NULL OR "STATUS" = :1) AND "ID" > :2 ORDER BY "ID" FETCH FIRST 5 ROWS ONLY`,
			`SELECT TO_CHAR("ID"), TO_CHAR("STATUS"), "PHONE", "BODY" FROM "ERP"."SMS_OUTBOX" WHERE "ID" IN (:1)`,
		},
	}
	for driver, statements := range want {
		cfg := testConfig()
		cfg.Outbox.Table = "erp.sms_outbox"
		tab := &tables{dialect: dialectOf[driver], out: cfg.Outbox}
		s := tab.statement("SELECT ", tab.asText("id"), " FROM ", tab.name(tab.out.Table), " WHERE ").fresh(tab.out)
		if got := tab.behind(s, &shape{number: true}, "17", 5).String(); got != statements[0] {
			t.Errorf("%s:\n%s, want\n%s", driver, got, statements[0])
		}
		if last := s.args[len(s.args)-1]; last != int64(17) {
			t.Errorf("%s: id is %T", driver, last)
		}
		if got := tab.selection(" WHERE ", tab.name("id"), " IN (").arg("1").add(")").String(); got != statements[1] {
			t.Errorf("%s:\n%s, want\n%s", driver, got, statements[1])
		}
	}
}

// TestDoorsOpenWithoutConnecting covers every driver's DSN.
func TestDoorsOpenWithoutConnecting(t *testing.T) {
	for driver, how := range drivers {
		cfg := testConfig()
		cfg.Driver, cfg.DSN = driver, how.example
		if _, err := New(cfg, Deps{}); err != nil {
			t.Errorf("%s: %v", driver, err)
		}
		for _, dsn := range []string{"", "user:geheim@nowhere%%/x"} {
			cfg.DSN = dsn
			if _, err := New(cfg, Deps{}); err == nil || strings.Contains(err.Error(), "geheim") {
				t.Errorf("%s: DSN %q: %v", driver, dsn, err)
			}
		}
	}
}

func TestTimesOfColumns(t *testing.T) {
	zone := time.FixedZone("CST", 8*3600)
	tab := &tables{zone: zone}
	want := time.Date(2026, 11, 30, 8, 0, 0, 0, zone)
	for _, tt := range []struct {
		value any
		wall  bool
	}{
		{"2026-11-30 08:00:00", false},
		{"2026-11-30T08:00:00", false},
		{[]byte(" 2026-11-30T00:00:00Z "), false},
		{time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC), true},
		{time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC), false},
	} {
		if got, err := tab.timeOf(tt.value, tt.wall); err != nil || !got.Equal(want) {
			t.Errorf("%v: %v, %v", tt.value, got, err)
		}
	}
	for _, none := range []any{nil, "", []byte("  ")} {
		if got, err := tab.timeOf(none, false); err != nil || !got.IsZero() {
			t.Errorf("%v: %v, %v", none, got, err)
		}
	}
	for _, bad := range []any{"tomorrow", 17.5} {
		if _, err := tab.timeOf(bad, false); err == nil {
			t.Errorf("%v is a time", bad)
		}
	}
}

func TestIdentifiers(t *testing.T) {
	for name, ok := range map[string]bool{
		"phone": true, "_x1": true, "手机号": true, "a.b": true, "a.b.c": false, "": false, "1a": false, "a b": false,
		"a`b": false, `a"b`: false, "a]b": false, "a;b": false, ".a": false, "a-b": false, strings.Repeat("a", 129): false,
	} {
		if got := identifier(name, 2); got != ok {
			t.Errorf("identifier(%q) = %v", name, got)
		}
	}
}

func ExampleConfig_Validate() {
	fmt.Println(Config{Name: "erp", Driver: MySQL, DSN: "u@tcp(h:1)/d", Outbox: Outbox{Table: "t", ID: "id", To: "phone", Status: "s"}}.Validate())
	// Output: outbox.text: is missing: the name of the column
}
