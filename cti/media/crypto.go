package media

// Suites are the crypto suites that can be agreed on (RFC 4568 §6.2, RFC 7714
// §14.2), the best first.
func Suites() []string { return nil }

// KeyLength is how many octets of master key and salt a suite takes, 0 for one
// that is not among [Suites].
func KeyLength(string) int { return 0 }
