// Who else is at work, and what is written between them.

import { ask, query } from './api.ts';
import type { AgentState, List, Role } from './contract.ts';

export interface Person {
  id: string;
  name: string;
  role: Role;
  /** '' for somebody without a desk. */
  state?: AgentState | '';
  reason?: string;
  since?: string | null;
  device?: string;
  on_call?: boolean;
  queues?: string[] | null;
  extension?: string;
}

/** One message between two people. */
export interface Words {
  id: string;
  time: string;
  from: string;
  to: string;
  text: string;
  name?: string;
}

export const people = {
  all: () => ask<List<Person>>('GET', '/people'),
  chat: (other: string, cursor = '') => ask<List<Words>>('GET', `/messages${query({ with: other, limit: 50, cursor })}`),
};
