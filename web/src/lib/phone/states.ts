// How the telephone in the page stands, as a table. Effects follow the new
// state, in phone.svelte.ts.

/**
 * off: not wanted, or the box cannot be reached yet. asking: for the
 * microphone. offering: to the box. joining: the sound finds its way. up.
 * shaken: the way broke a moment ago. away: another window has the telephone.
 * deaf: there is no microphone. failed: the box does not take the offer; it is
 * asked again.
 */
export type State = 'off' | 'asking' | 'offering' | 'joining' | 'up' | 'shaken' | 'away' | 'deaf' | 'failed';

/**
 * want and leave: the agent's choice, with a line to the box. mic and deaf: the
 * microphone is there or not. taken and refused: the box's answer. joined and
 * lost: of the way of the sound. late: it took too long. line: the line to the
 * box is open again. replaced: another window took over.
 */
export type Event = 'want' | 'leave' | 'mic' | 'deaf' | 'taken' | 'refused' | 'joined' | 'lost' | 'late' | 'line' | 'replaced';

const moves: Record<State, Partial<Record<Event, State>>> = {
  off: { want: 'asking' },
  asking: { mic: 'offering', deaf: 'deaf' },
  offering: { taken: 'joining', refused: 'failed', late: 'asking', joined: 'up', line: 'asking' },
  joining: { joined: 'up', lost: 'shaken', late: 'asking', line: 'asking' },
  // The box lets a telephone go whose line breaks; who is back offers anew, and a call goes on with that.
  up: { lost: 'shaken', deaf: 'deaf', line: 'asking' },
  shaken: { joined: 'up', late: 'asking', deaf: 'deaf', line: 'asking' },
  away: { want: 'asking', line: 'asking' },
  // Asking again by itself would put the browser's question before the agent again.
  deaf: { want: 'asking', line: 'asking' },
  failed: { want: 'asking', line: 'asking', late: 'asking' },
};

/** The state after an event; the same one where the event means nothing. */
export function next(state: State, event: Event): State {
  if (event === 'leave') return 'off';
  if (event === 'replaced') return state === 'off' ? 'off' : 'away';
  return moves[state][event] ?? state;
}

/** How long a state may last until it is `late`, in milliseconds; undefined for ever. `tries` is how often it was late before. */
export function patience(state: State, tries: number): number | undefined {
  if (state === 'shaken') return 5000;
  if (state === 'offering' || state === 'joining') return 10_000;
  return state === 'failed' ? Math.min(60_000, 5000 * 2 ** tries) : undefined;
}

/** Whether the telephone would ring. */
export function isUsable(state: State): boolean {
  return state === 'up' || state === 'shaken';
}
