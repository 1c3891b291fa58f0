// Texts beyond sending: how one would leave, those with one number, the inbox.

import { ask, query } from '../../lib/api.ts';
import type { Incoming, Job, List, Message, TextStatus } from '../../lib/contract.ts';

export interface Preview {
  text: string;
  parts: number;
  /** As carriers count them. */
  characters: number;
}

export interface Line {
  id: string;
  time: string;
  direction: 'in' | 'out';
  text: string;
  status?: TextStatus;
  parts?: number;
  /** Who sent it, or saw to it. */
  by?: string;
}

export interface Search {
  to?: string;
  status?: TextStatus | '';
  since?: string;
  cursor?: string;
  limit?: number;
}

const row = (id: string, what: string) => `/sms/inbox/${encodeURIComponent(id)}/${what}`;

export const texting = {
  preview: (of: { text?: string; template?: string; vars?: Record<string, string>; to?: string }) => ask<Preview>('POST', '/sms/preview', of),
  thread: (number: string) => ask<List<Line>>('GET', `/sms/thread${query({ number, limit: 30 })}`),
  sent: (search: Search) => ask<List<Message>>('GET', `/sms/messages${query({ limit: 50, ...search })}`),
  inbox: (search: Pick<Search, 'since' | 'cursor'>) => ask<List<Incoming>>('GET', `/sms/inbox${query({ limit: 50, ...search })}`),
  claim: (id: string) => ask<Incoming>('POST', row(id, 'claim')),
  answer: (id: string, text: string) => ask<Job>('POST', row(id, 'answer'), { text }),
  match: (id: string, job: string) => ask<Incoming>('POST', row(id, 'match'), { job }),
};

/** How an incoming text stands; matched: it answers a text of ours, and nobody need do anything. */
export type Standing = 'open' | 'matched' | 'claimed' | 'answered';

export function standing(text: Incoming): Standing {
  if (text.answer) return 'answered';
  if (text.claimed_by) return 'claimed';
  return text.job ? 'matched' : 'open';
}

/** Whether somebody may answer a text: not what another agent sees to. */
export function mayAnswer(text: Incoming, user: string, isAgent: boolean): boolean {
  return !text.claimed_by || text.claimed_by === user || !isAgent;
}
