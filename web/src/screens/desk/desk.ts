// What agents work with beside the calls themselves: the site's settings of
// their desk, drafts of notes, urging, templates at hand.

import { ask, query } from '../../lib/api.ts';
import type { Customer, Disposition, List } from '../../lib/contract.ts';

export type KindCode = 'consult' | 'repair' | 'complaint' | 'purchase';

/** What a call can have been about; one with children only divides. */
export interface Subject {
  code: string;
  name: string;
  children?: Subject[] | null;
}

/** A kind of calls, and where its ticket is begun. */
export interface Kind {
  code: KindCode;
  name: string;
  url?: string;
}

export interface Settings {
  dispositions: readonly Subject[];
  kinds: readonly Kind[];
  pop: { url: string; open: 'tab' | 'frame' | 'none' };
  /** Templates at hand, by id. */
  texts: readonly string[];
  embed_origins: readonly string[];
}

export const unset: Settings = { dispositions: [], kinds: [], pop: { url: '', open: 'none' }, texts: [], embed_origins: [] };

export interface Template {
  id: string;
  text: string;
}

/** What somebody wrote about a call and has not filed. */
export interface Draft {
  text: string;
  by: string;
}

/** What came of urging: a text's job and a webhook's event, each empty where there was none. */
export interface Urged {
  job: string;
  event: string;
}

export type Filing = Pick<Disposition, 'code' | 'note' | 'kind' | 'solved'>;

const call = (id: string, what: string) => `/calls/${encodeURIComponent(id)}/${what}`;

export const desk = {
  settings: () => ask<Partial<Settings>>('GET', '/desk'),
  template: (id: string) => ask<Template>('GET', `/templates/${encodeURIComponent(id)}`),
  note: (id: string) => ask<Draft>('GET', call(id, 'note')),
  /** Goes out even while the page closes. */
  keepNote: (id: string, text: string) => ask<Draft>('PUT', call(id, 'note'), { text }, { keepalive: true }),
  urge: (id: string, ticket: string, title: string) => ask<Urged>('POST', call(id, 'urge'), { ticket, ...(title ? { title } : {}) }),
  find: (q: string) => ask<List<Customer>>('GET', `/customers${query({ q, limit: 8 })}`),
  addNumber: (customer: string, number: string) => ask<Customer>('POST', `/customers/${encodeURIComponent(customer)}/numbers`, { number }),
};
