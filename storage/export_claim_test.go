package storage

// Claimable is the query for the messages to claim.
const Claimable = claimable
