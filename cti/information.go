package cti

// Information is what a leg learnt of its numbers after the call began; an
// empty Number is nothing new.
type Information struct {
	Calling, Called Number
}

// Informer is a leg whose numbers may come late, as caller ID comes after the
// first ring of an analogue line. The channel is closed when nothing more comes.
type Informer interface {
	Information() <-chan Information
}

// Witness is a leg that must guess when the far side answered and hung up,
// because the network does not tell: an analogue line.
type Witness interface {
	// Evidence says how sure the answer is (sure, likely, guess; "" where it
	// was not asked for) and by what the hang-up was noticed (polarity, loop,
	// busy_tone, silence, set; "" where it was told or has not happened).
	Evidence() (answer, hangup string)
}

// Early is an outgoing leg whose sound may be worth hearing before its party
// answers: ringback, announcements. The channel is closed when it is; of a
// [Witness] it is from the start.
type Early interface {
	Early() <-chan struct{}
}
