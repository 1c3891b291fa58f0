// The day's figures as the box counts them, and how they are judged.

import { ask } from './api.ts';
import type { AgentState, List, PhoneNumber, Ref } from './contract.ts';

/** A queue's day and how it stands, or several queues'; times are seconds, shares 0 to 1, null where there is nothing to divide by. */
export interface Figure {
  waiting: number;
  longest_wait: number;
  ready: number;
  busy: number;
  working: number;
  not_ready: number;
  offered: number;
  answered: number;
  abandoned: number;
  short_abandoned: number;
  other: number;
  service_level: number | null;
  /** Within which a call should be answered; null where queues differ. */
  service_seconds: number | null;
  asa: number | null;
  aht: number | null;
  occupancy: number | null;
}

export interface QueueFigure extends Figure {
  id: string;
  name: string;
}

/** How many agents stand where; busy is on a call, whatever the state. */
export type Counts = Record<'ready' | 'busy' | 'workingAfterCall' | 'notReady' | 'loggedOff', number>;

export interface Figures {
  time: string;
  day: string;
  since: string;
  queues: QueueFigure[] | null;
  total: Figure;
  agents: Counts;
}

/** An agent as a wallboard has it: who is logged off is only counted. */
export interface BoardAgent {
  id: string;
  name: string;
  state: AgentState;
  reason?: string;
  since?: string | null;
  until?: string | null;
  /** Since when the agent is on a call; null where not. */
  busy_since?: string | null;
  pending?: AgentState | '';
  phone?: boolean;
  away?: boolean;
  queues?: string[] | null;
}

export interface Board extends Figures {
  desks: BoardAgent[] | null;
}

/** A caller in a queue. */
export interface Waiter {
  call_id: string;
  number: PhoneNumber;
  customer?: Ref | null;
  queue: Ref;
  since: string;
  priority: number;
  /** An agent's telephone rings for it. */
  ringing?: boolean;
  path?: string[] | null;
}

export const figures = {
  today: () => ask<Figures>('GET', '/figures'),
  waiting: () => ask<List<Waiter>>('GET', '/waiting'),
};

export type Tone = 'good' | 'warn' | 'bad' | '';

/** How urgent the longest wait is: beyond what the queue promises, and beyond twice that. */
export function waitTone(queue: Pick<Figure, 'waiting' | 'longest_wait' | 'service_seconds'>): Tone {
  if (queue.waiting === 0) return '';
  const promised = queue.service_seconds || 20;
  if (queue.longest_wait > 2 * promised) return 'bad';
  return queue.longest_wait > promised ? 'warn' : '';
}

/** How a share of calls answered in time reads; the usual goal is 80 per cent. */
export function levelTone(level: number | null): Tone {
  if (level === null) return '';
  if (level >= 0.8) return 'good';
  return level >= 0.6 ? 'warn' : 'bad';
}

/** A share as people write it. */
export function percent(share: number | null): string {
  return share === null ? '–' : `${Math.round(share * 100)}%`;
}

/** The key in the address, behind #, which no server log ever sees. */
export function keyIn(hash: string): string {
  return new URLSearchParams(hash.replace(/^#/, '')).get('key') ?? '';
}

/** How many agents fit on a wallboard so that they are read from five metres. */
export const wallful = 42;

/** The columns for so many agents: as few as leave seven rows at most. */
export function columnsFor(agents: number): number {
  return Math.min(6, Math.max(2, Math.ceil(agents / 7)));
}
