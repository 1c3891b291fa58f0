package sip

import (
	"strings"

	"callbox/cti/media"

	wire "github.com/emiago/sipgo/sip"
)

// keysKept is how many keys wait to be sent.
const keysKept = 64

// keyings are the values of a trunk's dtmf.
var keyings = map[string]media.Keying{
	"": media.Events, "auto": media.Events, "rfc4733": media.Events, "info": media.Messages, "inband": media.Tones,
}

// keying is how digits go to the party, and whether keys are listened for in
// its sound: with inband, and where auto meets a peer that did not offer
// telephone-event.
func (l *leg) keying(event uint8) (media.Keying, media.Detect) {
	setting := "auto"
	if l.trunk != nil {
		setting = strings.ToLower(l.trunk.DTMF)
	}
	deaf := (setting == "" || setting == "auto") && event == 0
	if setting == "inband" || deaf {
		return keyings[setting], media.DetectKeys
	}
	return keyings[setting], 0
}

// keysOut is where the port puts keys that go by INFO; the first call starts
// who sends them. Only under sound.
func (l *leg) keysOut() chan<- string {
	if l.keys == nil {
		l.keys = make(chan string, keysKept)
		l.s.work.Go("keys by INFO", l.sendKeys)
	}
	return l.keys
}

// sendKeys sends one INFO after the other until the leg is over.
func (l *leg) sendKeys() {
	for {
		select {
		case <-l.done:
			return
		case keys := <-l.keys:
			for _, key := range keys {
				l.sendKey(key)
			}
		}
	}
}

func (l *leg) sendKey(key rune) {
	d := l.current()
	if d == nil || d.isOver() {
		return
	}
	ctx, cancel := l.patience()
	defer cancel()
	res, err := l.s.inDialog(ctx, d, l.trunk, wire.INFO, func(req *wire.Request) { setKey(req, key) })
	if err == nil && !res.IsSuccess() {
		err = failure(res.StatusCode)
	}
	if err != nil {
		l.log.Warn("a key was not taken", "err", err)
	}
}

func setKey(req *wire.Request, key rune) {
	req.AppendHeader(wire.NewHeader("Content-Type", "application/dtmf-relay"))
	req.SetBody([]byte("Signal=" + string(key) + "\r\nDuration=160\r\n"))
}
