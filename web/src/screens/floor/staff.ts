// Everybody who has a desk, however many.

import { ask, query } from '../../lib/api.ts';
import { box } from '../../lib/box.svelte.ts';
import type { Desk, List } from '../../lib/contract.ts';
import * as feeds from '../../lib/feed.ts';

const page = 500;

async function all(): Promise<Desk[]> {
  const desks: Desk[] = [];
  let cursor = '';
  do {
    const part = await ask<List<Desk>>('GET', `/agents${query({ limit: page, cursor })}`);
    desks.push(...(part.items ?? []));
    cursor = part.next ?? '';
  } while (cursor);
  return desks;
}

/** Loads the agents' grid; where that is not possible the grid keeps what it had, and the feed goes on telling. */
export async function loadStaff(): Promise<void> {
  const desks = await all().catch(() => undefined);
  if (desks) box.feed = feeds.withDesks(box.feed, desks); // the feed of now, not of before the wait
}
