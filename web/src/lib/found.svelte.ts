import { ApiError, type Fault } from './api.ts';
import type { List } from './contract.ts';

/** What a search has found so far, page by page; a later search makes the answer to an earlier one void. */
export class Found<T> {
  items = $state.raw<T[]>([]);
  /** The cursor of what follows; '' at the end. */
  next = $state('');
  loaded = $state(false);
  fault = $state<Fault | ''>('');
  #asked = 0;

  constructor(private readonly fetch: (cursor: string) => Promise<List<T>>) {}

  /** Searches anew, or from a cursor on. */
  async find(cursor = ''): Promise<void> {
    const turn = ++this.#asked;
    const page = await this.fetch(cursor).catch((why: unknown) => (why instanceof ApiError ? why : new ApiError('unreachable')));
    if (turn !== this.#asked) return;
    this.loaded = true;
    this.fault = page instanceof ApiError ? page.fault : '';
    if (page instanceof ApiError) return;
    this.items = cursor ? [...this.items, ...(page.items ?? [])] : (page.items ?? []);
    this.next = page.next ?? '';
  }
}
