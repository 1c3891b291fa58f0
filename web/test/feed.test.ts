import { describe, expect, it } from 'vitest';
import type { BoxEvent, CallRecord, Snapshot } from '../src/lib/contract.ts';
import * as feeds from '../src/lib/feed.ts';

const t0 = Date.parse('2026-03-09T10:00:00.000Z');
const at = (s: number) => new Date(t0 + s * 1000).toISOString();

const shot: Snapshot = {
  type: 'snapshot',
  seq: 100,
  time: at(0),
  agent: { id: '1001', name: '王芳', state: 'ready', reason: '', since: at(-30), pending: '', phone: true },
  calls: [],
  queues: [{ id: 'repair', name: '报修', waiting: 1, longest_wait: 12, ready: 1 }],
};

/** A feed after the snapshot and these events, numbered and one second apart. */
function after(...events: Partial<BoxEvent>[]): feeds.Feed {
  return events.reduce<feeds.Feed>(
    (feed, event, i) => feeds.receive(feed, { seq: 101 + i, time: at(i + 1), type: 'offered', ...event } as BoxEvent),
    feeds.receive(feeds.empty, shot),
  );
}

const delivered: Partial<BoxEvent> = {
  type: 'delivered',
  call_id: 'c1',
  agent_id: '1001',
  queue: { id: 'repair', name: '报修' },
  calling: { e164: '+8613800138000', raw: '13800138000', place: '浙江杭州' },
  called: { e164: '+864001234567', raw: '4001234567' },
  user_data: {
    customer: { id: 'k1', name: '李雷', vip: true, devices: [], open_tickets: [], history: [] },
    wait: 8,
    ivr_path: ['welcome', 'menu', 'repair'],
    pop_url: 'https://t.example/k1',
  },
};
const established: Partial<BoxEvent> = { type: 'established', call_id: 'c1', agent_id: '1001' };
const cleared: Partial<BoxEvent> = { type: 'callCleared', call_id: 'c1', cause: 'normal' };
const wrapUp: Partial<BoxEvent> = { type: 'agentWorkingAfterCall', agent_id: '1001', call_id: 'c1' };

describe('snapshot', () => {
  it('sets the agent, queues and the number to resume from', () => {
    const feed = after();
    expect(feed.seq).toBe(100);
    expect(feed.me).toMatchObject({ id: '1001', state: 'ready', sinceMs: t0 - 30_000, phone: true });
    expect(feed.queues['repair']).toMatchObject({ waiting: 1, waitingSince: t0 - 12_000 });
    expect(feeds.current(feed)).toBeUndefined();
  });

  it('takes null lists and a missing agent', () => {
    const feed = feeds.receive(feeds.empty, { ...shot, agent: null, calls: null, queues: null });
    expect(feed.me).toBeNull();
    expect(feed.calls).toEqual({});
  });

  const record: CallRecord = {
    id: 'c1',
    direction: 'in',
    result: null,
    from: { e164: '+8613800138000', raw: '13800138000', place: '浙江杭州' },
    to: { raw: '4001234567' },
    did: '4001234567',
    queue: { id: 'repair', name: '报修' },
    agent: null,
    customer: { id: 'k1', name: '李雷' },
    ivr_path: ['welcome'],
    offers: [{ agent: '1001', start: at(-2), end: null }],
    times: { seize: at(-20), queue_in: at(-10), offer: at(-2) },
  };

  it('shows a ringing call again after a reload', () => {
    const call = feeds.current(feeds.receive(feeds.empty, { ...shot, calls: [record] }));
    expect(call).toMatchObject({ phase: 'ringing', agent: '1001', wait: 8, path: ['welcome'], rang: t0 - 2000 });
    expect(feeds.isStub(call?.customer ?? null)).toBe(true);
  });

  it('shows a talk again after a reload', () => {
    const talking = { ...record, agent: { id: '1001', name: '王芳' }, times: { ...record.times, agent_answer: at(-1) } };
    expect(feeds.current(feeds.receive(feeds.empty, { ...shot, calls: [talking] }))).toMatchObject({
      phase: 'talking',
      talked: t0 - 1000,
    });
  });

  it('keeps what the pop told when a reconnect brings only the record', () => {
    const feed = feeds.receive(after(delivered), { ...shot, seq: 300, calls: [record] });
    expect(feeds.current(feed)).toMatchObject({ customer: { vip: true }, popUrl: 'https://t.example/k1', wait: 8 });
  });
});

describe('a call', () => {
  it('pops at delivered with everything the card shows', () => {
    expect(feeds.current(after(delivered))).toMatchObject({
      phase: 'ringing',
      number: { e164: '+8613800138000', place: '浙江杭州' },
      did: '4001234567',
      queue: { name: '报修' },
      customer: { name: '李雷' },
      wait: 8,
      path: ['welcome', 'menu', 'repair'],
      popUrl: 'https://t.example/k1',
      rang: t0 + 1000,
    });
  });

  it('talks, then stays for wrap-up, then goes', () => {
    expect(feeds.current(after(delivered, established))).toMatchObject({ phase: 'talking', talked: t0 + 2000 });
    const over = after(delivered, established, cleared);
    expect(feeds.current(over)).toMatchObject({ phase: 'over', ended: t0 + 3000 });
    expect(feeds.current(after(delivered, established, cleared, wrapUp))).toMatchObject({ customer: { name: '李雷' } });
    const ready = { type: 'agentReady', agent_id: '1001' };
    expect(feeds.current(after(delivered, established, cleared, wrapUp, ready))).toBeUndefined();
  });

  it('leaves the card for the next call', () => {
    const next = { ...delivered, call_id: 'c2' };
    const feed = after(delivered, established, cleared, wrapUp, next);
    expect(feeds.current(feed)?.id).toBe('c2');
    expect(Object.keys(feed.calls)).toEqual(['c2']);
  });

  it('is gone when the caller gives up while it rings', () => {
    expect(feeds.current(after(delivered, cleared))).toBeUndefined();
  });

  it('is gone when it is offered to somebody else', () => {
    const missed = { type: 'connectionCleared', call_id: 'c1', agent_id: '1001', cause: 'noAnswer' };
    expect(feeds.current(after(delivered, missed))).toBeUndefined();
    expect(feeds.current(after(delivered, missed, { ...delivered, agent_id: '1002' }))).toBeUndefined();
  });

  it('is gone when its record says so, though no event did', () => {
    const feed = after(delivered);
    const offers = [{ agent: '1001', start: at(1), end: null as string | null, outcome: '' }];
    const record = { id: 'c1', direction: 'in', result: null, from: {}, to: {}, times: {}, offers } as CallRecord;
    expect(feeds.checked(feed, { ...record, offers: [] })).toBe(feed);
    expect(feeds.checked(feed, record)).toBe(feed);
    const missed = { ...record, offers: [{ ...offers[0], agent: '1001', end: at(9), outcome: 'noAnswer' }] };
    expect(feeds.current(feeds.checked(feed, missed))).toBeUndefined();
    expect(feeds.current(feeds.checked(feed, { ...record, result: 'abandoned' }))).toBeUndefined();
    expect(feeds.current(feeds.lost(feed, 'c1'))).toBeUndefined();
    expect(feeds.current(feeds.lost(after(delivered, established), 'c1'))).toMatchObject({ phase: 'talking' });
    expect(feeds.current(feeds.checked(after(delivered, established), missed))).toMatchObject({ phase: 'talking' });
  });

  it('survives leaving its queue before it is established, in either order', () => {
    const left = { type: 'diverted', call_id: 'c1', agent_id: '1001' };
    expect(feeds.current(after(delivered, left, established))).toMatchObject({ phase: 'talking', customer: { name: '李雷' } });
    expect(feeds.current(after(delivered, established, left))).toMatchObject({ phase: 'talking' });
  });

  it('is held and retrieved without its timer starting again', () => {
    const call = { call_id: 'c1', agent_id: '1001' };
    const feed = after(delivered, established, { type: 'held', ...call }, { type: 'retrieved', ...call });
    expect(feeds.current(feed)).toMatchObject({ phase: 'talking', talked: t0 + 2000 });
  });

  it('learns late who is calling', () => {
    const unknown = { ...delivered, user_data: {} };
    const late = { type: 'callInformation', call_id: 'c1', user_data: { customer: { id: 'k1', name: '李雷' } } };
    expect(feeds.current(after(unknown))?.customer).toBeNull();
    expect(feeds.current(after(unknown, late))).toMatchObject({ phase: 'ringing', customer: { name: '李雷' } });
  });

  it('that has ended is not made again by what follows', () => {
    expect(after(cleared).calls).toEqual({});
    expect(after(delivered, cleared, cleared).calls).toEqual({});
  });

  it('of another agent is not on this screen', () => {
    expect(feeds.current(after({ ...delivered, agent_id: '1002' }))).toBeUndefined();
  });

  it('can be put away', () => {
    const feed = after(delivered, established, cleared, wrapUp);
    expect(feeds.current(feeds.dismissed(feed, 'c1'))).toBeUndefined();
  });
});

describe('events', () => {
  it('seen before change nothing', () => {
    const feed = after(delivered);
    expect(feeds.receive(feed, { seq: 101, time: at(9), type: 'callCleared', call_id: 'c1' })).toBe(feed);
  });

  it('of unknown types and shapes do no harm', () => {
    const feed = after({ type: 'toString' }, { type: 'constructor', call_id: '__proto__' }, { type: 'queueChanged' }, { type: 'delivered' });
    expect(feed.seq).toBe(104);
    expect(feeds.current(feed)).toBeUndefined();
  });

  it('move the agent, with reason, time and pending state', () => {
    const said = { type: 'agentNotReady', agent_id: '1001', user_data: { reason: 'noAnswer', pending: '' } };
    expect(after(said).me).toMatchObject({ state: 'notReady', reason: 'noAnswer', sinceMs: t0 + 1000 });
    const busy = { type: 'agentBusy', agent_id: '1001', call_id: 'c1', user_data: { pending: 'notReady' } };
    expect(after(busy).me).toMatchObject({ state: 'ready', pending: 'notReady', onCall: 'c1', sinceMs: t0 - 30_000 });
    expect(after(busy, wrapUp).me).toMatchObject({ state: 'workingAfterCall', pending: '', onCall: '' });
    expect(after({ type: 'agentReady', agent_id: '1002' }).me?.state).toBe('ready');
  });

  it('change queues', () => {
    const queue = { type: 'queueChanged', queue: { id: 'repair', name: '报修' }, user_data: { waiting: 3, longest_wait: 5, ready: 0 } };
    expect(after(queue).queues['repair']).toMatchObject({ waiting: 3, ready: 0, waitingSince: t0 - 4000 });
    const none = { ...queue, user_data: { waiting: 0, longest_wait: 0, ready: 2 } };
    expect(after(none).queues['repair']?.waitingSince).toBeUndefined();
  });

  it('mark lists as old', () => {
    const before = after().stale;
    const feed = after({ type: 'smsStatus' }, { type: 'smsReceived' }, delivered, established, cleared);
    expect(feed.stale).toMatchObject({ texts: before.texts + 2, inbox: before.inbox + 1, calls: before.calls + 2 });
  });

  it('bring words from colleagues', () => {
    expect(after({ type: 'message', id: 'e1', user_data: { from: '班长', text: '开会' } }).note).toEqual({
      id: 'e1',
      from: '班长',
      text: '开会',
    });
  });
});

describe('commands', () => {
  it('show a pending state at once', () => {
    const feed = feeds.replied(after(delivered, established), { state: 'ready', pending: 'notReady' });
    expect(feed.me?.pending).toBe('notReady');
    expect(feeds.replied(feed, null)).toBe(feed);
  });
});

describe('the floor', () => {
  const desks = [
    { id: '1001', name: '王芳', state: 'ready' as const, since: at(-5), phone: true },
    { id: '1002', name: '赵敏', state: 'notReady' as const, reason: 'login', since: at(-9), phone: false },
  ];

  it('follows the agents', () => {
    let feed = feeds.withDesks(feeds.receive(feeds.empty, { ...shot, agent: null }), desks);
    expect(Object.keys(feed.desks)).toEqual(['1001', '1002']);
    feed = feeds.receive(feed, { seq: 101, time: at(1), type: 'agentReady', agent_id: '1002', user_data: { phone: true } });
    expect(feed.desks['1002']).toMatchObject({ state: 'ready', reason: '', sinceMs: t0 + 1000, phone: true });
    feed = feeds.receive(feed, { seq: 102, time: at(2), ...delivered } as BoxEvent);
    feed = feeds.receive(feed, { seq: 103, time: at(3), ...established } as BoxEvent);
    expect(feed.desks['1001']?.onCall).toBe('c1');
    feed = feeds.receive(feed, { seq: 104, time: at(4), ...cleared } as BoxEvent);
    expect(feed.desks['1001']?.onCall).toBe('');
  });

  it('asks for the list again when an agent is new', () => {
    const feed = after({ type: 'agentLoggedOn', agent_id: '1009' });
    expect(feed.stale.desks).toBe(after().stale.desks + 1);
  });
});
