package sip

import (
	"context"
	"fmt"
)

// MailChanged tells the phones of extension, as far as they subscribed, how many
// messages wait (RFC 3842). It does not wait.
func (s *Server) MailChanged(extension string) {
	s.subscriptions.changed(news{event: mailPackage, extension: extension})
}

// messageSummary is the body of RFC 3842 §3.5.
func (s *Server) messageSummary(sub *subscription) []byte {
	fresh, old := s.waiting(sub.extension)
	word := "no"
	if fresh > 0 {
		word = "yes"
	}
	return fmt.Appendf(nil, "Messages-Waiting: %s\r\nMessage-Account: %s\r\nVoice-Message: %d/%d (0/0)\r\n",
		word, s.extensionURI(sub, sub.extension), fresh, old)
}

func (s *Server) waiting(extension string) (fresh, old int) {
	if s.deps.Mailboxes == nil {
		return 0, 0
	}
	ctx, cancel := context.WithTimeout(s.life, accountLimit)
	defer cancel()
	return s.deps.Mailboxes.Waiting(ctx, extension)
}
