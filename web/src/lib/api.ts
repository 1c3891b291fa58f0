// The HTTP side of the box. Cookies carry the session.

import type { CallRecord, Customer, Desk, Incoming, Job, List, Message, PhoneLine, Reason, Security, User } from './contract.ts';

/** What kind of failure it was, for the dictionary. */
export type Fault = 'unreachable' | 'unauthorized' | 'forbidden' | 'notFound' | 'tooMany' | 'refused' | 'server';

export class ApiError extends Error {
  constructor(
    readonly fault: Fault,
    /** The box's own words (RFC 9457 detail, or the faults of the fields), '' if none. */
    readonly detail = '',
    readonly status = 0,
  ) {
    super(detail || fault);
    this.name = 'ApiError';
  }
}

function faultOf(status: number): Fault {
  if (status === 401) return 'unauthorized';
  if (status === 403) return 'forbidden';
  if (status === 404) return 'notFound';
  if (status === 429) return 'tooMany';
  return status < 500 ? 'refused' : 'server';
}

interface Problem {
  title?: string;
  detail?: string;
  errors?: { message?: string; location?: string }[];
}

async function failure(response: Response): Promise<ApiError> {
  const problem = (await response.json().catch(() => ({}))) as Problem;
  const fields = (problem.errors ?? []).map((e) => [e.location, e.message].filter(Boolean).join(': '));
  const detail = fields.length > 0 ? fields.join('; ') : (problem.detail ?? problem.title ?? '');
  return new ApiError(faultOf(response.status), detail, response.status);
}

/** Asks the box below /api/v1; a failure is an ApiError. */
export async function ask<T>(method: string, path: string, body?: unknown, more: RequestInit = {}): Promise<T> {
  let response: Response;
  try {
    response = await fetch(`/api/v1${path}`, {
      ...more,
      method,
      credentials: 'same-origin',
      headers: body === undefined ? { Accept: 'application/json' } : { 'Content-Type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch {
    throw new ApiError('unreachable');
  }
  if (!response.ok) throw await failure(response);
  return (response.status === 204 ? null : await response.json()) as T;
}

/** The values as what follows a path, without the empty ones. */
export function query(values: Record<string, string | number | undefined>): string {
  const set = Object.entries(values).filter(([, v]) => v !== undefined && v !== '');
  return set.length === 0 ? '' : `?${new URLSearchParams(set.map(([k, v]) => [k, String(v)]))}`;
}

/** What a text is asked for with. */
export interface TextOrder {
  to: string[];
  text?: string;
  /** Instead of a text: a template by its id, with what it wants. */
  template?: string;
  vars?: Record<string, string>;
  ref?: string;
  /** The same key again is the same text: a second click sends nothing twice. */
  key: string;
}

export const api = {
  login: (user: string, password: string) => ask<User>('POST', '/login', { user, password }),
  logout: () => ask<null>('POST', '/logout'),
  me: () => ask<User>('GET', '/me'),
  calls: (since: string, cursor = '') => ask<List<CallRecord>>('GET', `/calls${query({ since, limit: 50, cursor })}`),
  call: (id: string) => ask<CallRecord>('GET', `/calls/${encodeURIComponent(id)}`),
  customer: (id: string) => ask<Customer>('GET', `/customers/${encodeURIComponent(id)}`),
  callsWith: (number: string) => ask<List<CallRecord>>('GET', `/calls${query({ number, limit: 5 })}`),
  reasons: async () => (await ask<{ reasons?: Reason[] | null }>('GET', '/desk')).reasons ?? [],
  security: () => ask<Security>('GET', '/security'),
  agents: () => ask<List<Desk>>('GET', `/agents${query({ limit: 200 })}`),
  lines: () => ask<List<PhoneLine>>('GET', `/lines${query({ limit: 200 })}`),
  send: (order: TextOrder) => ask<Job>('POST', '/sms/jobs', order),
  job: (id: string) => ask<Job>('GET', `/sms/jobs/${encodeURIComponent(id)}`),
  messages: (since: string) => ask<List<Message>>('GET', `/sms/messages${query({ since, limit: 50 })}`),
  inbox: (since: string) => ask<List<Incoming>>('GET', `/sms/inbox${query({ since, limit: 50 })}`),
};

/** Where a call's recording is heard. */
export function audioOf(recording: string): string {
  return `/api/v1/recordings/${encodeURIComponent(recording)}/audio`;
}

/** A key for a text. Works on a plain-http LAN too, where crypto.randomUUID is missing. */
export function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');
}
