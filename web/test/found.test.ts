import { describe, expect, it } from 'vitest';
import { ApiError } from '../src/lib/api.ts';
import type { List } from '../src/lib/contract.ts';
import { Found } from '../src/lib/found.svelte.ts';

describe('a search', () => {
  it('goes on behind the cursor, and begins anew', async () => {
    const pages: Record<string, List<number>> = { '': { items: [3, 2], next: 'b' }, b: { items: [1], next: '' } };
    const found = new Found((cursor) => Promise.resolve(pages[cursor] ?? { items: null }));
    await found.find();
    await found.find(found.next);
    expect([found.items, found.next, found.loaded, found.fault]).toEqual([[3, 2, 1], '', true, '']);
    await found.find();
    expect(found.items).toEqual([3, 2]);
  });

  it('forgets the answer, or the failure, of an earlier one', async () => {
    const answers: ((failed: boolean) => void)[] = [];
    const found = new Found<number>(
      () => new Promise((done, fail) => answers.push((failed) => (failed ? fail(new ApiError('server')) : done({ items: [answers.length] })))),
    );
    const [first, second] = [found.find(), found.find()];
    answers[1]?.(false);
    await second;
    answers[0]?.(true);
    await first;
    expect([found.items, found.fault]).toEqual([[2], '']);
  });

  it('keeps what it has when one fails', async () => {
    let fails = false;
    const found = new Found(() => (fails ? Promise.reject(new TypeError('gone')) : Promise.resolve({ items: [1] })));
    await found.find();
    fails = true;
    await found.find();
    expect([found.items, found.fault]).toEqual([[1], 'unreachable']);
  });
});
