import { ApiError, type Fault } from './api.ts';
import type { List } from './contract.ts';

/** A list over HTTP that is fetched again when events say that it is old. */
export class Fetched<T> {
  items = $state.raw<T[]>([]);
  loaded = $state(false);
  fault = $state<Fault | ''>('');
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running = false;
  #again = false;

  constructor(private readonly fetch: () => Promise<List<T>>) {}

  /** True when this user may not see the list: the screen leaves it out. */
  get hidden(): boolean {
    return this.fault === 'forbidden' || this.fault === 'notFound';
  }

  /** Fetches soon; many calls at once are one fetch. */
  refresh(after = 150): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#load(), after);
  }

  /** No more fetches. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  async #load(): Promise<void> {
    if (this.#running) {
      this.#again = true;
      return;
    }
    this.#running = true;
    try {
      this.items = (await this.fetch()).items ?? [];
      this.fault = '';
    } catch (why) {
      this.fault = why instanceof ApiError ? why.fault : 'unreachable';
    }
    this.loaded = true;
    this.#running = false;
    if (this.#again) {
      this.#again = false;
      this.refresh();
    }
  }
}
