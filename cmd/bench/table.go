package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// row is one figure of the table, with what is to be reached.
type row struct{ what, figure, reach string }

func printTable(w io.Writer, rows []row) {
	rows = append([]row{{"what", "measured", "to reach"}, {}}, rows...)
	var widths [3]int
	for _, r := range rows {
		for i, cell := range []string{r.what, r.figure, r.reach} {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, r := range rows {
		cells := []string{r.what, r.figure, r.reach}
		for i := range cells {
			fill := " "
			if r == (row{}) {
				fill = "-"
			}
			cells[i] += strings.Repeat(fill, widths[i]-utf8.RuneCountInString(cells[i]))
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
	}
}

// machine says what the figures were measured on.
func machine() string {
	model := "unknown processor"
	info, _ := os.ReadFile("/proc/cpuinfo") // without it the model stays unknown
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			model = strings.TrimSpace(value)
			break
		}
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease") // as above
	return fmt.Sprintf("%s, %d cores, %s/%s %s, bench built by %s",
		model, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, strings.TrimSpace(string(kernel)), runtime.Version())
}

// quantile is the value below which a share q of the sorted list lies.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// spread writes two quantiles and the worst of a list, in ms.
func spread(list []time.Duration, low, high float64) string {
	slices.Sort(list)
	ms := func(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d)/float64(time.Millisecond)) }
	if len(list) == 0 {
		return "nothing measured"
	}
	return fmt.Sprintf("p%.0f %s ms, p%.0f %s ms, worst %s ms (%d)", 100*low, ms(quantile(list, low)),
		100*high, ms(quantile(list, high)), ms(list[len(list)-1]), len(list))
}
