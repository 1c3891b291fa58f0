package storage_test

import (
	"testing"

	"callbox/storage"
	"callbox/storage/storagetest"
)

// A desk has who has a telephone, or is an agent, whose page may be one.
func TestStaff(t *testing.T) {
	db := storagetest.Open(t)
	for _, a := range []storage.Agent{
		{ID: "1001", Name: "a", Role: storage.RoleAgent, Extension: "801"},
		{ID: "1002", Name: "b", Role: storage.RoleAgent},
		{ID: "boss", Name: "c", Role: storage.RoleSupervisor},
		{ID: "chief", Name: "d", Role: storage.RoleSupervisor, Extension: "900"},
	} {
		if err := db.PutUser(t.Context(), a, false); err != nil {
			t.Fatal(err)
		}
	}
	staff, err := db.Staff(t.Context())
	got := ""
	for _, a := range staff {
		got += a.ID + " "
	}
	if err != nil || got != "1001 1002 chief " {
		t.Errorf("Staff = %q, %v", got, err)
	}
}
