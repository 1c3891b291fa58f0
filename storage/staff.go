package storage

import "context"

// Staff gives who may have a desk, by id: users with an extension, and agents
// without one, whose phone is a page.
func (d *DB) Staff(ctx context.Context) (list []Agent, err error) {
	return list, load(ctx, d.reader, &list, scanAgent, selectAgents+" WHERE extension IS NOT NULL OR role = ? ORDER BY id", RoleAgent)
}
