// The one call that a supervisor takes part in. The call's record says how he
// does: it is asked each second while the part lasts, also after a reload.

import { api, ApiError } from '../../lib/api.ts';
import { box } from '../../lib/box.svelte.ts';
import type { LiveCall } from '../../lib/feed.ts';
import * as feeds from '../../lib/feed.ts';
import { phone } from '../../lib/phone/phone.svelte.ts';
import { partIn, type Means, type Mode, type Part } from './may.ts';

const where = 'callbox.supervised';
const every = 1000;
/** How long the box rings a supervisor's telephone, and a little more, in milliseconds. */
const rings = 33_000;

interface Kept {
  user: string;
  call: string;
}

function kept(): Kept | undefined {
  try {
    return (JSON.parse(sessionStorage.getItem(where) ?? 'null') as Kept | null) ?? undefined;
  } catch {
    return undefined; // storage is forbidden, or holds what is not ours
  }
}

function keep(what: Kept | undefined): void {
  try {
    if (what) sessionStorage.setItem(where, JSON.stringify(what));
    else sessionStorage.removeItem(where);
  } catch {
    // without storage a reload leaves the strip away; the part goes on
  }
}

class Supervision {
  /** The supervised call; '' for none. */
  call = $state('');
  part = $state<Part>('gone');
  /** Whose call, and with whom, for the strip. */
  agent = $state('');
  number = $state.raw<LiveCall['number']>({});
  /** How the last part ended, until it is put away. */
  ended = $state<'' | 'over' | 'left'>('');
  busy = $state(false);
  #began = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  get means(): Means {
    const mine = box.call && !feeds.isEnded(box.call) ? box.call.id : '';
    return {
      role: box.user?.role,
      user: box.user?.user ?? '',
      line: box.line === 'open',
      phone: phone.usable || !!box.feed.me?.phone,
      own: mine || (box.feed.me?.onCall ?? ''),
      supervised: this.call,
    };
  }

  /** Takes part in a call, or changes how. */
  async join(call: LiveCall, mode: Mode): Promise<void> {
    const first = this.call !== call.id;
    if (!(await this.#order(call.id, mode)) || !first) return;
    Object.assign(this, { call: call.id, part: 'rings', agent: call.agent, number: call.number, ended: '' });
    this.#began = Date.now();
    keep({ user: box.user?.user ?? '', call: call.id });
    this.#watch(0);
  }

  async change(mode: Mode): Promise<void> {
    if (this.call && (await this.#order(this.call, mode))) this.#watch(0);
  }

  /** Leaves the call; who took it over hangs up. */
  async stop(): Promise<void> {
    if (!this.call) return;
    if (this.part === 'takeover') await box.hangUp(this.call);
    else if (await this.#order(this.call, 'stop')) this.#end('left');
  }

  putAway(): void {
    this.ended = '';
  }

  /** Finds the part of before a reload. */
  async resume(): Promise<void> {
    const before = kept();
    if (!before || this.call || before.user !== box.user?.user) return;
    const record = await api.call(before.call).catch(() => undefined);
    if (!record || this.call) return;
    const part = partIn(record, before.user);
    if (part === 'gone' || part === 'rings') return keep(undefined);
    const live = feeds.fromRecord(record);
    Object.assign(this, { call: record.id, part, agent: live.agent, number: live.number });
    this.#watch(every);
  }

  /** No more looking: nobody is logged in here. */
  forget(): void {
    clearTimeout(this.#timer);
    Object.assign(this, { call: '', part: 'gone', ended: '' });
  }

  async #order(call: string, mode: Mode | 'stop'): Promise<boolean> {
    if (this.busy) return false;
    this.busy = true;
    const done = (await box.command('supervise', { call_id: call, mode })) !== undefined;
    this.busy = false;
    return done;
  }

  #watch(after: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#look(), after);
  }

  async #look(): Promise<void> {
    const id = this.call;
    const user = box.user?.user ?? '';
    if (!id || !user) return;
    try {
      const record = await api.call(id);
      if (id !== this.call) return;
      const part = partIn(record, user);
      if (part === 'gone' || (part === 'rings' && Date.now() - this.#began > rings)) return this.#end(record.times.hangup ? 'over' : 'left');
      if (part === 'takeover' && this.part !== part) this.#inherit(feeds.fromRecord(record, user));
      this.part = part;
    } catch (why) {
      if (why instanceof ApiError && why.fault === 'notFound') return this.#end('over');
    }
    this.#watch(every);
  }

  /** A call taken over is the supervisor's own now, with the bar for it. */
  #inherit(call: LiveCall): void {
    box.feed = { ...box.feed, calls: { ...box.feed.calls, [call.id]: call } };
  }

  #end(how: 'over' | 'left'): void {
    clearTimeout(this.#timer);
    keep(undefined);
    Object.assign(this, { call: '', part: 'gone', ended: how });
  }
}

export const supervision = new Supervision();
