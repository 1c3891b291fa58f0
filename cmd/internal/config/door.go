package config

import "fmt"

// checkDoors checks the database doors and gives them the box's zone. It does
// not connect: whether the database is there, and has such tables, the log and
// /readyz tell.
func (b *Box) checkDoors(d *document) {
	taken := map[string]bool{}
	for i := range b.DatabaseDoor {
		door, path := &b.DatabaseDoor[i], fmt.Sprintf("database_door[%d]", i)
		if taken[door.Name] {
			d.reject(path+".name", "%q is taken by another door", door.Name)
		}
		taken[door.Name] = true
		door.Zone = b.location
		d.rejectAll(path, door.Validate())
	}
}
