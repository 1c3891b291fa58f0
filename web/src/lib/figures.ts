// The day's figures as the box counts them, and how they are judged.

import type { AgentState } from './contract.ts';

/** A queue's figures since midnight; times are seconds, shares are from 0 to 1, null where nothing was counted. */
export interface QueueFigures {
  id: string;
  name: string;
  waiting: number;
  longest_wait: number;
  ready: number;
  offered: number;
  answered: number;
  abandoned: number;
  short_abandoned: number;
  service_level: number | null;
  service_seconds: number;
  asa: number | null;
  aht: number | null;
  occupancy: number | null;
}

export interface BoardAgent {
  id: string;
  name: string;
  state: AgentState;
  reason?: string;
  since?: string | null;
  on_call?: boolean;
}

/** What a wallboard is given. */
export interface Board {
  time: string;
  queues: QueueFigures[];
  total: QueueFigures;
  agents: Partial<Record<AgentState | 'busy', number>>;
  desks: BoardAgent[];
  formula?: Record<string, string>;
}

export type Tone = 'good' | 'warn' | 'bad' | '';

/** How urgent the longest wait is: beyond what the queue promises, and beyond twice that. */
export function waitTone(queue: Pick<QueueFigures, 'waiting' | 'longest_wait' | 'service_seconds'>): Tone {
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

/** The key in the address, behind #, which no server log ever sees. */
export function keyIn(hash: string): string {
  return new URLSearchParams(hash.replace(/^#/, '')).get('key') ?? '';
}
