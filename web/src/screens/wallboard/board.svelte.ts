// What the wallboard shows: fetched each second with the key of its address.

import { ApiError } from '../../lib/api.ts';
import { clock } from '../../lib/clock.svelte.ts';
import type { Board } from '../../lib/figures.ts';
import { Poll } from '../../lib/poll.svelte.ts';
import { offsetOf } from '../../lib/time.ts';

/** An answer later than this is none: the next second has another. */
const patience = 4000;
/** Older figures are called stale. */
const staleAfter = 5000;

async function fetchBoard(key: string): Promise<Board> {
  const response = await fetch('/api/v1/wallboard', {
    credentials: 'same-origin',
    headers: key ? { Authorization: `Bearer ${key}` } : {},
    signal: AbortSignal.timeout(patience),
  });
  if (!response.ok) throw new ApiError(response.status === 401 || response.status === 403 ? 'forbidden' : 'server', '', response.status);
  const board = (await response.json()) as Board;
  clock.adjust(offsetOf(board.time, Date.now()));
  return board;
}

export class Wall {
  readonly #poll: Poll<Board>;
  readonly board = $derived.by(() => this.#poll.value);
  /** The key is not, or no longer, one for wallboards. */
  readonly refused = $derived.by(() => this.#poll.fault === 'forbidden');
  /** Milliseconds. */
  readonly age = $derived.by(() => this.#poll.age);
  readonly stale = $derived.by(() => this.#poll.age > staleAfter);

  constructor(key: string) {
    this.#poll = new Poll(() => fetchBoard(key), 1000, true);
  }

  start(): () => void {
    return this.#poll.start();
  }
}
