package webrtc

import (
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// quietLog is the library's log. What it takes for warnings and errors are
// mostly packets that anybody may send: they are for who looks for details.
type quietLog struct{ to *slog.Logger }

// NewLogger implements [logging.LoggerFactory].
func (q quietLog) NewLogger(scope string) logging.LeveledLogger {
	return quietLog{q.to.With("scope", scope)}
}

func (q quietLog) Trace(string)                    {}
func (q quietLog) Tracef(string, ...any)           {}
func (q quietLog) Debug(string)                    {}
func (q quietLog) Debugf(string, ...any)           {}
func (q quietLog) Info(string)                     {}
func (q quietLog) Infof(string, ...any)            {}
func (q quietLog) Warn(text string)                { q.to.Debug("webrtc: " + text) }
func (q quietLog) Warnf(form string, args ...any)  { q.Warn(fmt.Sprintf(form, args...)) }
func (q quietLog) Error(text string)               { q.to.Debug("webrtc: " + text) }
func (q quietLog) Errorf(form string, args ...any) { q.Error(fmt.Sprintf(form, args...)) }
