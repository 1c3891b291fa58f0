// The worklist of calls that nobody took.

import { ask, query } from '../../lib/api.ts';
import type { List, PhoneNumber, Ref } from '../../lib/contract.ts';

export type Shelf = 'open' | 'claimed' | 'done';
export type Outcome = 'reached' | 'unreachable' | 'texted' | 'nothing';

export const shelves: readonly Shelf[] = ['open', 'claimed', 'done'];
export const outcomes: readonly Outcome[] = ['reached', 'unreachable', 'texted', 'nothing'];

interface Taken {
  by: string;
  name?: string;
  time: string;
}

/** Somebody who called and was not served; all tries of one number at one queue are one row. */
export interface MissedCall {
  id: string;
  kind: 'missed' | 'voicemail';
  number: PhoneNumber;
  customer?: Ref | null;
  queue?: Ref | null;
  /** Of the last try. */
  time: string;
  first?: string;
  tries: number;
  /** Length of the message, of a voicemail. */
  seconds?: number;
  /** What was said, each in its call's recording from a second on. */
  messages?: { call_id: string; from: number; seconds: number; time: string }[] | null;
  claimed?: Taken | null;
  done?: (Taken & { outcome?: Outcome }) | null;
}

const path = (id: string, what: string) => `/missed/${encodeURIComponent(id)}/${what}`;

export const missed = {
  list: (state: Shelf) => ask<List<MissedCall>>('GET', `/missed${query({ state, limit: 100 })}`),
  claim: (id: string) => ask<MissedCall>('POST', path(id, 'claim')),
  release: (id: string) => ask<MissedCall>('POST', path(id, 'release')),
  done: (id: string, outcome: Outcome) => ask<MissedCall>('POST', path(id, 'done'), { outcome }),
};
