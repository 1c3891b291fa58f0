package voicebox

import (
	"slices"
	"time"
)

// sameKey is how far apart a box's word of a key and the key's sound may be.
const sameKey = 400 * time.Millisecond

// keypad makes one press of a key that the box tells (a DLE code) and of the
// same key in the line's sound. Most boxes give both; some take the tone out of
// the sound, and some tell nothing. The zero value is ready.
type keypad struct {
	told, heard []press // by one of them, and not by the other
}

type press struct {
	key byte
	at  time.Time
}

// tells takes a key that the box told and says whether it is new.
func (k *keypad) tells(key byte, at time.Time) bool { return pair(&k.heard, &k.told, key, at) }

// hears takes a key that was heard and says whether it is new.
func (k *keypad) hears(key byte, at time.Time) bool { return pair(&k.told, &k.heard, key, at) }

// sent takes a key in our own sound, which the box may hear and tell.
func (k *keypad) sent(key byte, at time.Time) { k.heard = append(recent(k.heard, at), press{key, at}) }

// pair looks for the key among what the other side still waits for.
func pair(theirs, ours *[]press, key byte, at time.Time) (fresh bool) {
	*theirs = recent(*theirs, at)
	for i, p := range *theirs {
		if p.key == key {
			*theirs = slices.Delete(*theirs, i, i+1)
			return false
		}
	}
	*ours = append(recent(*ours, at), press{key, at})
	return true
}

// recent leaves out what is too old to be the same key.
func recent(all []press, at time.Time) []press {
	return slices.DeleteFunc(all, func(p press) bool { return at.Sub(p.at) > sameKey })
}
