// Calls and recordings that are over: found, looked at, listened to.

import { ask, query } from './api.ts';
import type { CallRecord, List, PhoneNumber, Ref } from './contract.ts';

export interface Sound {
  id: string;
  state: 'recording' | 'complete' | 'partial' | 'none';
  seconds: number;
  missing_seconds?: number;
  mixed?: boolean;
  started: string | null;
  from: PhoneNumber;
  to: PhoneNumber;
  queue?: Ref | null;
  agent?: Ref | null;
  customer?: Ref | null;
  result?: string | null;
  direction?: 'in' | 'out';
  line?: string;
}

/** How loud each side is along the recording, from 0 to 1. */
export interface Peaks {
  seconds: number;
  left: number[];
  right: number[];
}

/** A remark at one moment of a recording. */
export interface Remark {
  id: string;
  at: number;
  text: string;
  by: string;
  name?: string;
  time: string;
}

/** One thing that happened in a call. */
export interface Step {
  time: string;
  type: string;
  /** The agent's id and name. */
  agent?: string;
  name?: string;
  /** Of an offer: why this agent, and why not the others. */
  why?: string;
  cause?: string;
  text?: string;
  data?: Record<string, unknown> | null;
}

export interface Search {
  q?: string;
  number?: string;
  agent?: string;
  queue?: string;
  result?: string;
  since?: string;
  until?: string;
  limit?: number;
  cursor?: string;
}

const one = (id: string) => `/recordings/${encodeURIComponent(id)}`;

export const shelf = {
  recordings: (search: Search) => ask<List<Sound>>('GET', `/recordings${query({ limit: 50, ...search })}`),
  calls: (search: Search) => ask<List<CallRecord>>('GET', `/calls${query({ limit: 50, ...search })}`),
  peaks: (id: string, points: number) => ask<Peaks>('GET', `${one(id)}/peaks${query({ points })}`),
  remarks: (id: string) => ask<List<Remark>>('GET', `${one(id)}/notes`),
  remark: (id: string, at: number, text: string) => ask<Remark>('POST', `${one(id)}/notes`, { at, text }),
  forget: (id: string, remark: string) => ask<null>('DELETE', `${one(id)}/notes/${encodeURIComponent(remark)}`),
  timeline: (id: string) => ask<{ items: Step[] | null }>('GET', `/calls/${encodeURIComponent(id)}/timeline`),
};

/** The days that a list can go back, as the time it begins with; '' is all there is. */
export const spans = [1, 7, 30, 0] as const;
export type Span = (typeof spans)[number];

/** RFC 3339 of the midnight with which a span begins. */
export function begin(span: Span, now: Date): string {
  if (span === 0) return '';
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() - span + 1).toISOString();
}
