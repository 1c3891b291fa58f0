import { ApiError, type Fault } from './api.ts';
import { clock } from './clock.svelte.ts';

/** What is fetched again and again while somebody looks, and how old it is. */
export class Poll<T> {
  value = $state.raw<T | null>(null);
  fault = $state<Fault | ''>('');
  #came = $state(0);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #turn = 0;

  /** Milliseconds since the last answer came; 0 while there was none. */
  readonly age = $derived(this.#came ? Math.max(0, clock.now - this.#came) : 0);

  constructor(
    private readonly fetch: () => Promise<T>,
    private readonly every = 1000,
    /** Also while the page is not in sight. */
    private readonly always = false,
  ) {}

  /** Begins, and gives what ends it. */
  start(): () => void {
    const turn = ++this.#turn;
    void this.#next(turn);
    return () => {
      this.#turn++;
      clearTimeout(this.#timer);
    };
  }

  async #next(turn: number): Promise<void> {
    if (this.always || !document.hidden) await this.#look(turn);
    if (turn === this.#turn) this.#timer = setTimeout(() => void this.#next(turn), this.every);
  }

  async #look(turn: number): Promise<void> {
    try {
      const value = await this.fetch();
      if (turn !== this.#turn) return;
      this.value = value;
      this.#came = clock.now;
      this.fault = '';
    } catch (why) {
      if (turn === this.#turn) this.fault = why instanceof ApiError ? why.fault : 'unreachable';
    }
  }
}
