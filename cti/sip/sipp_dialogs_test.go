package sip_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"callbox/cti"
)

// sippOffer is a request within the call with a description.
const sippOffer = `<send retrans="500"><![CDATA[
%s [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[last_From:]
[last_To:]
Call-ID: [call_id]
CSeq: %d %s
Contact: <sip:sipp@[local_ip]:[local_port]>
Max-Forwards: 70
%sContent-Type: application/sdp
Content-Length: [len]

v=0
o=sipp 1 %d IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[local_ip_type] %s
t=0 0
m=audio 40000 RTP/AVP 8
a=rtpmap:8 PCMA/8000
a=%s
]]></send>
`

// sippHas wants a response whose body has text.
func sippHas(code int, text string) string {
	return fmt.Sprintf(`<recv response="%d" rrs="true"><action><ereg regexp="%s" search_in="body" check_it="true" assign_to="1"/></action></recv><Reference variables="1"/>`, code, text)
}

// sippWithHeaders is sippInvite with more headers.
func sippWithHeaders(headers string) string {
	return strings.Replace(sippInvite, "Max-Forwards: 70", "Max-Forwards: 70\n"+headers, 1)
}

// A hundred calls with early sound by PRACK.
func TestSIPpPrack(t *testing.T) {
	r := start(t)
	r.calls.do(func(ctx context.Context, leg cti.Leg) error {
		if err := leg.(cti.Progresser).Progress(ctx); err != nil {
			return err
		}
		return answerAndWait(ctx, leg)
	})
	prack := strings.Replace(fmt.Sprintf(sippWithin, `retrans="500"`, "PRACK", 2, "PRACK"), "Max-Forwards: 70", "RAck: [$2] 1 INVITE\nMax-Forwards: 70", 1)
	r.sipp(scenario(sippWithHeaders("Supported: 100rel"), sippRinging,
		`<recv response="183" rrs="true"><action><ereg regexp="[0-9]+" search_in="hdr" header="RSeq:" assign_to="2"/></action></recv>`,
		prack, `<recv response="183" optional="true"/><recv response="200" rrs="true"/>`, // of PRACK
		`<recv response="200" rrs="true"/>`, fmt.Sprintf(sippWithin, "", "ACK", 1, "ACK"),
		fmt.Sprintf(sippWithin, `retrans="500"`, "BYE", 3, "BYE"), `<recv response="200"/>`), "-m", "100", "-r", "100")
	eventually(t, "nothing is left", func() bool { s := r.Stats(); return s.Legs == 0 && s.Dialogs == 0 })
}

// Hold in its three ways and back, with the directions checked by SIPp.
func TestSIPpHolds(t *testing.T) {
	r := start(t)
	parts := []string{sippInvite, sippRinging, `<recv response="200" rrs="true"/>`, fmt.Sprintf(sippWithin, "", "ACK", 1, "ACK")}
	for i, tt := range []struct{ way, address, want string }{
		{"sendonly", "[local_ip]", "a=recvonly"},
		{"sendrecv", "[local_ip]", "a=sendrecv"},
		{"inactive", "[local_ip]", "a=inactive"},
		{"sendrecv", "[local_ip]", "a=sendrecv"},
		{"sendrecv", "0.0.0.0", "a=recvonly"},
		{"sendrecv", "[local_ip]", "a=sendrecv"},
	} {
		parts = append(parts, fmt.Sprintf(sippOffer, "INVITE", 2+i, "INVITE", "", 2+i, tt.address, tt.way),
			`<recv response="100" optional="true"/>`, sippHas(200, tt.want), fmt.Sprintf(sippWithin, "", "ACK", 2+i, "ACK"))
	}
	parts = append(parts, fmt.Sprintf(sippWithin, `retrans="500"`, "BYE", 9, "BYE"), `<recv response="200"/>`)
	r.sipp(scenario(parts...), "-m", "20", "-r", "20")
	eventually(t, "nothing is left", func() bool { s := r.Stats(); return s.Legs == 0 && s.Dialogs == 0 })
}

// The caller's session timer is taken, refreshed by UPDATE, and refused where
// it is too small.
func TestSIPpSessionTimer(t *testing.T) {
	r := start(t)
	timer := "Supported: timer\nSession-Expires: %d;refresher=uac\n"
	update := strings.Replace(fmt.Sprintf(sippWithin, `retrans="500"`, "UPDATE", 2, "UPDATE"), "Max-Forwards: 70", "Max-Forwards: 70\n"+strings.TrimSpace(fmt.Sprintf(timer, 600)), 1)
	has := `<recv response="200" rrs="true"><action><ereg regexp="600;refresher=uac" search_in="hdr" header="Session-Expires:" check_it="true" assign_to="1"/></action></recv><Reference variables="1"/>`
	r.sipp(scenario(sippWithHeaders(strings.TrimSpace(fmt.Sprintf(timer, 600))), sippRinging, has,
		fmt.Sprintf(sippWithin, "", "ACK", 1, "ACK"), update, has,
		fmt.Sprintf(sippWithin, `retrans="500"`, "BYE", 3, "BYE"), `<recv response="200"/>`), "-m", "20", "-r", "20")
	r.sipp(scenario(sippWithHeaders(strings.TrimSpace(fmt.Sprintf(timer, 60))), `<recv response="100" optional="true"/><recv response="422"/>`,
		fmt.Sprintf(sippSame, "", "ACK", 3, "[peer_tag_param]", "ACK")), "-m", "1")
}
