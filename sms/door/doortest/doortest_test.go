package doortest_test

import (
	"testing"

	"callbox/sms/door/doortest"
)

func TestServersStart(t *testing.T) {
	for name, start := range map[string]func(testing.TB) *doortest.Server{"mysql": doortest.MariaDB, "postgres": doortest.PostgreSQL} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			_, db := s.Database(t)
			if _, err := db.Exec("CREATE TABLE x (id INT)"); err != nil {
				t.Error(err)
			}
			s.Stop()
			if db.Ping() == nil {
				t.Error("a stopped server answers")
			}
			s.Start(t)
			if _, err := db.Exec("INSERT INTO x VALUES (1)"); err != nil {
				t.Error(err)
			}
		})
	}
}
