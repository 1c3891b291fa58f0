package config

import (
	"strings"
	"testing"
)

func TestFormatsOfWebhooks(t *testing.T) {
	const line = "webhooks: [{url: 'http://a/b', secret: x, events: [call.*], format: %}]\n"
	for format, want := range map[string]string{
		"twilio": "", "zammad": "", `""`: "",
		"kannel": `1:61: webhooks[0].format: "kannel" is neither empty nor twilio nor zammad`,
	} {
		_, err := Load(write(t, "callbox.yaml", strings.Replace(line, "%", format, 1)))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("format %s: %v, want %q", format, err, want)
		}
	}
}
