// What somebody has begun to change and not saved. It is kept while the page is
// open, wherever else one looks meanwhile; the browser warns before it is lost.

import { untrack } from 'svelte';
import { SvelteMap } from 'svelte/reactivity';
import { box } from '../../lib/box.svelte.ts';

class Drafts {
  #all = new SvelteMap<string, unknown>();
  #who = '';

  /** The places with something unsaved, as section/id. */
  get places(): string[] {
    return [...this.#all.keys()];
  }

  has(place: string): boolean {
    return this.#all.has(place);
  }

  /** The draft at a place, if this user left one. */
  take<T>(place: string): T | undefined {
    return untrack(() => {
      this.#own();
      return this.#all.get(place) as T | undefined;
    });
  }

  keep(place: string, draft: unknown): void {
    untrack(() => {
      this.#own();
      this.#all.set(place, draft);
      addEventListener('beforeunload', warn);
    });
  }

  drop(place: string): void {
    untrack(() => {
      this.#all.delete(place);
      if (this.#all.size === 0) removeEventListener('beforeunload', warn);
    });
  }

  /** Another user sees nothing of the one before. */
  #own(): void {
    const user = box.user?.user ?? '';
    if (user === this.#who) return;
    this.#who = user;
    for (const place of this.places) this.drop(place);
  }
}

/** A page that is closed, or loaded anew, asks first. */
function warn(event: Event): void {
  if (box.user) event.preventDefault();
}

export const drafts = new Drafts();
