package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"callbox/cti/media"
	"callbox/ivr/speech"
)

// spoken are the flow's prompts by their files.
var spoken = map[string]string{
	"welcome.wav": "您好，欢迎致电安顺维保服务热线。",
	"menu.wav":    "报修请按一，查询工单请按二，留言请按三。",
	"status.wav":  "您的工单正在处理中，请留意短信。再见。",
	"closed.wav":  "现在没有坐席在线。",
	"message.wav": "请在提示音后留言，按井号键结束。",
}

// record makes the prompts: spoken where there is an engine, else chimes that
// last as long as the words would.
func record(ctx context.Context, dir string, log *slog.Logger) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("prompts: %w", err)
	}
	voice, err := speech.NewVoice(speech.VoiceConfig{})
	if errors.Is(err, speech.ErrNoVoice) {
		log.Info("no espeak-ng here: prompts are chimes")
	} else if err != nil {
		return fmt.Errorf("prompts: %w", err)
	}
	pitch := 520.0
	for file, text := range spoken {
		path := filepath.Join(dir, file)
		if voice != nil {
			if err := voice.SayFile(ctx, text, path); err == nil {
				continue
			}
		}
		if err := speech.WriteFile(path, chimes(file, pitch)); err != nil {
			return fmt.Errorf("prompts: %w", err)
		}
		pitch += 90
	}
	return nil
}

// chimes are three soft notes and a pause, twice.
func chimes(name string, hz float64) media.Prompt {
	on, off := 250*time.Millisecond, 150*time.Millisecond
	return speech.Tone(name, hz, -16, on, off, on, off, on, 4*off, on, off, on, off, on, 2*off)
}
