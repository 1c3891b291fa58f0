package api

import (
	"callbox/acd"
	"callbox/cti"
	"callbox/sms"
	"callbox/storage"
)

// What the ports ask for is there.
var (
	_ Users      = (*storage.DB)(nil)
	_ Keys       = (*storage.DB)(nil)
	_ Sessions   = (*storage.Sessions)(nil)
	_ Floor      = (*acd.Floor)(nil)
	_ Calls      = (*cti.Server)(nil)
	_ Ledger     = (*storage.Journal)(nil)
	_ Journal    = (*storage.Journal)(nil)
	_ Records    = (*storage.DB)(nil)
	_ Recordings = (*storage.DB)(nil)
	_ Audit      = (*storage.DB)(nil)
	_ Texter     = (*sms.Gateway)(nil)
	_ Texts      = (*storage.SMS)(nil)
	_ TextRules  = (*sms.Gateway)(nil)
	_ Dead       = (*storage.Notices)(nil)
	_ Site       = (*storage.DB)(nil)
	_ Editor     = (*storage.DB)(nil)
	_ Desk       = (*storage.DB)(nil)
)
