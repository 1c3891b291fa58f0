// What the wallboard shows: fetched each second, and how old it is.

import { ApiError } from '../../lib/api.ts';
import { clock } from '../../lib/clock.svelte.ts';
import type { Board } from '../../lib/figures.ts';
import { offsetOf } from '../../lib/time.ts';

const every = 1000;
/** Older figures are called stale. */
const staleAfter = 5000;

async function fetchBoard(key: string): Promise<Board> {
  const response = await fetch('/api/v1/wallboard', {
    credentials: 'same-origin',
    headers: key ? { Authorization: `Bearer ${key}` } : {},
    signal: AbortSignal.timeout(4 * every),
  });
  if (!response.ok) throw new ApiError(response.status === 401 || response.status === 403 ? 'forbidden' : 'server', '', response.status);
  return (await response.json()) as Board;
}

export class Wall {
  board = $state.raw<Board | null>(null);
  /** The key is not, or no longer, one for wallboards. */
  refused = $state(false);
  #came = $state(0);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;

  /** Milliseconds of the box's time since the last figures came. */
  readonly age = $derived(this.#came ? Math.max(0, clock.now - this.#came) : 0);
  readonly stale = $derived(this.age > staleAfter);

  constructor(readonly key: string) {}

  start(): void {
    void this.#turn();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async #turn(): Promise<void> {
    try {
      const board = await fetchBoard(this.key);
      clock.adjust(offsetOf(board.time, Date.now()));
      this.board = board;
      this.#came = clock.now;
      this.refused = false;
    } catch (why) {
      if (why instanceof ApiError && why.fault === 'forbidden') this.refused = true;
    }
    if (!this.#stopped) this.#timer = setTimeout(() => void this.#turn(), every);
  }
}
