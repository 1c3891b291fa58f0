// Keeps what an agent writes about one call: at the box a moment after each
// word, and until then in this window, over a reload.

import type { Draft } from './desk.ts';

/** Where a draft is kept. An error of write for which isFinal holds is not tried again. */
export interface Store {
  read: () => Promise<Draft>;
  write: (text: string) => Promise<unknown>;
  isFinal: (why: unknown) => boolean;
  /** What this window holds beyond what the box has; null for nothing. */
  held: () => string | null;
  hold: (text: string | null) => void;
}

export type Mark = 'loading' | 'empty' | 'unsaved' | 'saving' | 'saved' | 'failed' | 'refused';

/** In milliseconds: silence before a save, longest wait for one, and before the next try. */
export const pause = 800;
export const longest = 5000;
export const again = 3000;

export class DraftKeeper {
  text = $state('');
  mark = $state<Mark>('loading');
  /** Whose words these were; '' for the agent's own. */
  from = $state('');
  #saved = '';
  #typed = false;
  #since: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(
    private readonly store: Store,
    private readonly me: string,
  ) {}

  /** Takes what the box has, unless something was written meanwhile or held here. */
  async load(): Promise<void> {
    const held = this.store.held();
    if (held !== null) return this.type(held);
    const draft = await this.store.read().catch(() => null);
    if (this.#typed) return;
    this.#saved = this.text = draft?.text ?? '';
    this.from = draft?.text && draft.by !== this.me ? draft.by : '';
    this.mark = this.text ? 'saved' : 'empty';
  }

  /** Puts in what was filed before; it is at the box already. */
  fill(text: string): void {
    if (this.#typed || this.text) return;
    this.#saved = this.text = text;
    this.mark = text ? 'saved' : 'empty';
  }

  type(text: string): void {
    this.#typed = true;
    this.text = text;
    this.from = '';
    this.mark = 'unsaved';
    this.store.hold(text);
    this.#since ??= Date.now();
    this.#later(Math.max(0, Math.min(pause, this.#since + longest - Date.now())));
  }

  /** Saves now what is not saved; done when it is, or has failed. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#running = this.#running.then(() => this.#save());
    return this.#running;
  }

  /** No more saves, from when the last one is over: the words are being filed. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  /** Goes on after a filing that had no success. */
  resume(): void {
    this.#stopped = false;
    if (this.text !== this.#saved) this.#later(pause);
  }

  /** The words are in the record: there is no draft any more. */
  filed(): void {
    this.#stopped = false;
    this.#saved = this.text;
    this.#settle();
  }

  #later(after: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.flush(), after);
  }

  async #save(): Promise<void> {
    if (this.#stopped) return;
    const text = this.text;
    if (text === this.#saved) return this.#settle();
    this.mark = 'saving';
    try {
      await this.store.write(text);
    } catch (why) {
      this.mark = this.store.isFinal(why) ? 'refused' : 'failed';
      if (this.mark === 'failed' && !this.#stopped) this.#later(again);
      return;
    }
    this.#saved = text;
    this.#since = undefined;
    if (this.text === text) this.#settle();
    else this.type(this.text); // written on meanwhile: the wait begins anew
  }

  #settle(): void {
    if (this.mark === 'loading') return;
    this.#since = undefined;
    this.store.hold(null);
    this.mark = this.text ? 'saved' : 'empty';
  }
}
