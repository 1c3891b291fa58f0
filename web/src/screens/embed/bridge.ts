// What the desk in a frame tells the page around it, and what that one may ask:
// messages of window.postMessage with `callbox: 1`. docs/embedding.md has them.

import type { AgentState } from '../../lib/contract.ts';
import { isEnded, type DeskView, type LiveCall } from '../../lib/feed.ts';
import { dialable } from '../../lib/numbers.ts';
import { safeUrl } from '../../lib/safe.ts';

export const version = 1;

export type Asked =
  | { type: 'hello' }
  | { type: 'dial'; to: string }
  | { type: 'setState'; state: Exclude<AgentState, 'loggedOff'>; reason: string }
  | { type: 'answer' }
  | { type: 'hangUp' };

/** A command with the id under which its reply is wanted; '' for none. */
export type Command = Asked & { id: string };

const states: readonly string[] = ['ready', 'notReady', 'workingAfterCall'];

function word(value: unknown, most = 64): string | undefined {
  return typeof value === 'string' && value.length <= most ? value : undefined;
}

function asked(data: Record<string, unknown>): Asked | undefined {
  switch (data['type']) {
    case 'hello':
    case 'answer':
    case 'hangUp':
      return { type: data['type'] };
    case 'dial': {
      const to = word(data['to']);
      return to ? { type: 'dial', to } : undefined;
    }
    case 'setState': {
      const state = word(data['state']);
      const reason = word(data['reason'] ?? '');
      const known = state !== undefined && states.includes(state) && reason !== undefined;
      return known ? { type: 'setState', state: state as Exclude<AgentState, 'loggedOff'>, reason } : undefined;
    }
    default:
      return undefined;
  }
}

/** A message as a command; undefined for what is none of ours, or misses something. */
export function commandIn(message: unknown): Command | undefined {
  if (typeof message !== 'object' || message === null) return undefined;
  const data = message as Record<string, unknown>;
  if (data['callbox'] !== version) return undefined;
  const id = word(typeof data['id'] === 'number' ? String(data['id']) : data['id']) ?? '';
  const command = asked(data);
  return command && { ...command, id };
}

export type News = { type: 'state' | 'ringing' | 'answered' | 'ended' | 'pop' | 'hello' | 'reply' } & Record<string, unknown>;

/** The agent's state in a message. */
export function stateNews(me: DeskView | null, line: string): News {
  const since = me && !Number.isNaN(me.sinceMs) ? new Date(me.sinceMs).toISOString() : null;
  return { type: 'state', state: me?.state ?? '', reason: me?.reason ?? '', pending: me?.pending ?? '', since, connected: line === 'open' };
}

/** A call in a message. */
export function callNews(call: LiveCall): Record<string, unknown> {
  const { customer } = call;
  return {
    call_id: call.id,
    direction: call.direction,
    number: dialable(call.number),
    place: call.number.place ?? '',
    queue: call.queue,
    customer: customer ? { id: customer.id ?? '', name: customer.name ?? '' } : null,
  };
}

function ended(call: LiveCall): News {
  const result = call.talked !== undefined ? 'answered' : call.direction === 'out' ? 'failed' : 'missed';
  return { type: 'ended', ...callNews(call), result };
}

function popped(call: LiveCall): News {
  return { type: 'pop', ...callNews(call), url: safeUrl(call.popUrl), matches: call.matches };
}

/** What happened between two looks at the call on the screen. */
export function news(before: LiveCall | undefined, after: LiveCall | undefined): News[] {
  const out: News[] = [];
  const same = before?.id === after?.id ? before : undefined;
  if (before && !same && !isEnded(before)) out.push(ended(before));
  if (!after) return out;
  if (!same && ['ringing', 'dialling'].includes(after.phase)) out.push({ type: 'ringing', ...callNews(after) });
  const told = same ? `${same.popUrl} ${same.customer?.id ?? ''}` : ' ';
  if (!isEnded(after) && told !== `${after.popUrl} ${after.customer?.id ?? ''}`) out.push(popped(after));
  if (after.talked !== undefined && !isEnded(after) && same?.talked === undefined) out.push({ type: 'answered', ...callNews(after) });
  if (same && isEnded(after) && !isEnded(same)) out.push(ended(after));
  return out;
}

/** The origin of the page around this one as far as the browser tells; '' where it does not. */
export function around(ancestors: ArrayLike<string> | undefined, referrer: string): string {
  if (ancestors?.[0]) return ancestors[0];
  try {
    return new URL(referrer).origin;
  } catch {
    return '';
  }
}
