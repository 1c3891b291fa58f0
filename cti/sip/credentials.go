package sip

import (
	"errors"
	"fmt"
	"strings"

	wire "github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
)

var errForeignRealm = errors.New("challenged for a realm that is not the trunk's")

// strength orders the algorithms that we answer with (RFC 8760 §2.1); others
// are none.
var strength = map[string]int{"": 1, "MD5": 1, "SHA-256": 2, "SHA-512-256": 3, "SHA-512": 3}

// credentials answers a challenge (RFC 3261 §22), for our own trunk's realm
// only: whoever else asks learns nothing.
func (s *Server) credentials(req *wire.Request, res *wire.Response, tr *trunk) (name, value string, err error) {
	chal, err := s.challengeOf(res, tr)
	if err != nil {
		return "", "", err
	}
	value, err = tr.answer(chal, req, 1)
	return answerHeader(res), value, err
}

// challengeOf is the strongest challenge in res that tr answers.
func (s *Server) challengeOf(res *wire.Response, tr *trunk) (*digest.Challenge, error) {
	ask := "WWW-Authenticate"
	if res.StatusCode == 407 {
		ask = "Proxy-Authenticate"
	}
	var best *digest.Challenge
	for _, h := range res.GetHeaders(ask) {
		chal, err := parseChallenge(h.Value())
		if err != nil || !s.trunks.answers(tr, chal.Realm) {
			continue
		}
		if best == nil || power(chal) > power(best) {
			best = chal
		}
	}
	if best == nil {
		return nil, errForeignRealm
	}
	return best, nil
}

// parseChallenge reads a challenge that we can answer. Of the protections it
// offers, with or without spaces between them, auth is taken.
func parseChallenge(text string) (*digest.Challenge, error) {
	chal, err := digest.ParseChallenge(text)
	if err != nil {
		return nil, err
	}
	offered := chal.QOP
	chal.QOP = nil
	for _, q := range offered {
		if strings.TrimSpace(q) == "auth" {
			chal.QOP = []string{"auth"}
		}
	}
	if power(chal) == 0 || len(offered) > 0 && chal.QOP == nil {
		return nil, errors.New("a challenge of a kind we do not know")
	}
	return chal, nil
}

func power(c *digest.Challenge) int { return strength[strings.ToUpper(c.Algorithm)] }

// answer is the value that proves the trunk's password for the nth time with
// the nonce of chal.
func (t *trunk) answer(chal *digest.Challenge, req *wire.Request, n int) (string, error) {
	cred, err := digest.Digest(chal, digest.Options{
		Method: string(req.Method), URI: req.Recipient.String(), Count: n, Username: t.Username, Password: t.Password,
	})
	if err != nil {
		return "", fmt.Errorf("answer the challenge: %w", err)
	}
	return cred.String(), nil
}

// answerHeader is where the answer to the challenge in res goes.
func answerHeader(res *wire.Response) string {
	if res.StatusCode == 407 {
		return "Proxy-Authorization"
	}
	return "Authorization"
}
