package storage

// LateLooks are the queries that look for late messages.
var LateLooks = map[string]string{"released": findReleased, "accepted": findAccepted, "end": findYoung}
