package box

import "callbox/firmware/analog"

// Line is the analogue side and the only clock of a box. [analog.Conn] is one.
// A Line that is also an io.Closer is closed when the box ends.
type Line interface {
	// ReadLine waits for the line's next 20 ms.
	ReadLine(*analog.Line) error
	// WriteBox answers them with what the box does in these 20 ms.
	WriteBox(*analog.Box) error
}
