// What the pop told a window of the call it shows, over a reload: the ticket's
// link and who else has the number, which no record tells. How the call stands
// is the box's to say.

import { noTalk } from './talk.ts';
import { isEnded, type Feed, type LiveCall } from './feed.ts';

const where = 'callbox.call';

/** Keeps the user's running call; with none, forgets. */
export function keep(user: string, call: LiveCall | undefined): void {
  try {
    if (user && call && !isEnded(call)) sessionStorage.setItem(where, JSON.stringify({ user, call: { ...call, talk: noTalk } }));
    else sessionStorage.removeItem(where);
  } catch {
    // storage is forbidden: after a reload the record has to do
  }
}

/** The user's call as it was kept, by its id; empty where there was none. */
export function recall(user: string): Feed['calls'] {
  try {
    const kept = JSON.parse(sessionStorage.getItem(where) ?? '') as { user?: unknown; call?: LiveCall };
    if (kept.user !== user || typeof kept.call?.id !== 'string') return {};
    return { [kept.call.id]: { ...kept.call, talk: noTalk } };
  } catch {
    return {};
  }
}

export function forget(): void {
  keep('', undefined);
}
