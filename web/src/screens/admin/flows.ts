// Flows as texts: what is wrong with them, and where they lead.

import { ask } from '../../lib/api.ts';
import { send } from './ask.ts';
import type { Told } from './field.ts';

/** A fault at its place, from 1; line 0 is nowhere. */
export interface FlowFault {
  line: number;
  column: number;
  field: string;
  message: string;
}

export interface Checked {
  faults: FlowFault[] | null;
  flows: string[] | null;
}

/** What a caller meets at one node. */
export interface Step {
  node: string;
  kind: string;
  text?: string;
  played?: string[] | null;
  key?: string;
  next?: string;
  why: string;
}

export interface Tried {
  steps: Step[] | null;
  /** hangup, waits, queue, circles; '' where the flow cannot be walked. */
  end: string;
  faults: FlowFault[] | null;
}

export interface Trial {
  yaml: string;
  keys: string;
  start?: string;
  now?: string;
  vars?: Record<string, unknown>;
}

const yaml = 'application/yaml';
const path = (id: string) => `/flows/${encodeURIComponent(id)}`;

export const flows = {
  text: async (id: string) => (await send('GET', path(id), '', yaml, yaml)).text(),
  put: async (id: string, text: string) => (await send('PUT', path(id), text, yaml, yaml)).text(),
  check: async (text: string) => (await (await send('POST', '/flows:check', text, yaml)).json()) as Checked,
  attempt: (trial: Trial) => ask<Tried>('POST', '/flows:try', trial),
};

/** The faults of a refused PUT as those of a check. */
export function faultsOf(told: readonly Told[]): FlowFault[] {
  return told.map((one) => ({
    line: one.line ?? 0,
    column: one.column ?? 0,
    field: (one.location ?? '').replace(/^body\.?/, ''),
    message: one.message ?? '',
  }));
}

/** What a new flow begins as. */
export const example = `id: new_flow
start: hello
nodes:
  hello: {play: welcome.wav, next: bye}
  bye: {hangup: {}}
`;
