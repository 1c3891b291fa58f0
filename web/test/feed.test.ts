import { describe, expect, it } from 'vitest';
import type { BoxEvent, CallRecord, Snapshot } from '../src/lib/contract.ts';
import * as feeds from '../src/lib/feed.ts';
import { troubleOf } from '../src/lib/lines.ts';
import * as memory from '../src/lib/memory.ts';

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

describe('a colleague in the own call', () => {
  const theirs = (type: string): Partial<BoxEvent> => ({ type, call_id: 'c1', agent_id: '1002', cause: 'normal' });

  it.each(['delivered', 'established', 'held', 'connectionCleared', 'failed'])('leaves the own talk as it is: %s', (type) => {
    expect(feeds.current(after(delivered, established, theirs(type)))).toMatchObject({ phase: 'talking', agent: '1001' });
  });

  it('ends with the call for all', () => {
    expect(feeds.current(after(delivered, established, theirs('established'), cleared))).toMatchObject({ phase: 'over' });
  });
});

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

  it('has the pop from this window after a reload, and how the call stands from the box', () => {
    memory.keep('1001', feeds.current(after(delivered, established, { type: 'held', call_id: 'c1', agent_id: '1001', connection_id: 'out' })));
    const legs = [{ id: 'own', kind: 'agent', agent: '1001', standing: 'talking', standing_since: at(-1) }];
    const talking = { ...record, legs, times: { ...record.times, agent_answer: at(-1) } };
    const feed = feeds.receive({ ...feeds.empty, calls: memory.recall('1001') }, { ...shot, calls: [talking] });
    expect(feeds.current(feed)).toMatchObject({ phase: 'talking', popUrl: 'https://t.example/k1', talk: { own: 'own', standing: 'talking', stood: t0 - 1000 } });
    expect(memory.recall('1002')).toEqual({});
    memory.forget();
    expect(memory.recall('1001')).toEqual({});
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

describe('an outgoing call', () => {
  const number = { e164: '+8613800138000', raw: '13800138000' };
  const about = { call_id: 'o1', agent_id: '1001', calling: { raw: '4001234567' }, called: number };
  const offered = { ...about, type: 'offered', user_data: { direction: 'out' } };
  const popped = { ...about, type: 'delivered', user_data: { direction: 'out', wait: 0, customer: { id: 'k1', name: '李雷' } } };
  const busy = { ...about, type: 'agentBusy', user_data: { state: 'ready', pending: '' } };
  const talks = { ...about, type: 'established' };
  const failed = (cause: string) => ({ ...about, type: 'failed', cause });
  const left = (cause: string) => ({ ...about, type: 'connectionCleared', cause });
  const gone = (cause: string) => ({ ...about, type: 'callCleared', cause });
  const free = { type: 'agentReady', agent_id: '1001' };

  it('rings at the agent, is dialled, talks and is wrapped up', () => {
    expect(feeds.current(after(offered))).toBeUndefined();
    expect(feeds.current(after(offered, popped))).toMatchObject({ phase: 'ringing', direction: 'out', number, customer: { name: '李雷' } });
    expect(feeds.current(after(offered, popped, busy))).toMatchObject({ phase: 'dialling', rang: t0 + 3000, talked: undefined });
    const talk = after(offered, popped, busy, { ...talks, line: 'line 1' });
    expect(feeds.current(talk)).toMatchObject({ phase: 'talking', talked: t0 + 4000, line: 'line 1', did: '' });
    expect(feeds.current(after(offered, popped, busy, talks, left('normal'), wrapUp, gone('normal')))).toMatchObject({ phase: 'over' });
  });

  it.each(['busy', 'notFound', 'noAnswer', 'congestion'])('says for a while why it failed: %s', (cause) => {
    const feed = after(offered, popped, busy, failed(cause), left(cause), free, gone(cause));
    expect(feeds.current(feed, t0 + 10_000)).toMatchObject({ phase: 'failed', why: cause, ended: t0 + 4000, customer: { name: '李雷' } });
    expect(feeds.current(feed, t0 + 4000 + feeds.toldFor - 1)).toBeDefined();
    expect(feeds.current(feed, t0 + 4000 + feeds.toldFor)).toBeUndefined();
  });

  it('tells the agent’s own telephone from the number’s', () => {
    expect(feeds.current(after(offered, popped, gone('noAnswer')))).toMatchObject({ phase: 'failed', why: 'own.noAnswer' });
    expect(feeds.current(after(offered, gone('error')))).toMatchObject({ phase: 'failed', why: 'own.error' });
    expect(feeds.current(after(offered, popped, busy, gone('line_lost')))).toMatchObject({ why: 'line_lost' });
  });

  it('makes way for the next call', () => {
    const feed = after(offered, popped, busy, failed('busy'), gone('busy'), delivered);
    expect(feeds.current(feed)).toMatchObject({ id: 'c1', phase: 'ringing' });
    expect(Object.keys(feed.calls)).toEqual(['c1']);
  });

  it('is on the screen as soon as it was ordered, and once', () => {
    const ordered = feeds.withOrder(after(), 'o1', '138 0013 8000', t0);
    expect(feeds.current(ordered)).toMatchObject({ phase: 'ringing', direction: 'out', agent: '1001', number: { raw: '138 0013 8000' } });
    const told = feeds.receive(ordered, { seq: 101, time: at(1), ...popped } as BoxEvent);
    expect(feeds.current(told)).toMatchObject({ id: 'o1', number });
    const feed = after(offered, popped, busy);
    expect(feeds.withOrder(feed, 'o1', '1', t0)).toBe(feed);
  });

  const record: CallRecord = {
    id: 'o1', direction: 'out', result: null, from: {}, to: number, agent: { id: '1001', name: '王芳' },
    times: { seize: at(-20), agent_answer: at(-15), answer: null, hangup: null },
  };

  it.each([
    ['ringing', {}, { agent_answer: null }],
    ['dialling', {}, {}],
    ['talking', {}, { answer: at(-10) }],
    ['over', { result: 'answered' }, { answer: at(-10), hangup: at(-1) }],
    ['failed', { result: 'failed', cause: 'busy', hangup_side: 'caller' }, { hangup: at(-1) }],
  ])('is %s by its record', (phase, more, times) => {
    const call = { ...record, ...more, times: { ...record.times, ...times } } as CallRecord;
    expect(feeds.fromRecord(call)).toMatchObject({ phase, talked: 'answer' in times ? t0 - 10_000 : undefined });
    expect(feeds.talkOf(call)).toBe(phase === 'over' ? 9 : undefined);
  });

  it('has the reason in its record', () => {
    const call: CallRecord = { ...record, result: 'failed', cause: 'noAnswer', hangup_side: 'caller' };
    expect(feeds.whyOf(call)).toBe('noAnswer');
    const own: CallRecord = { ...call, hangup_side: 'agent', times: { seize: at(-20), hangup: at(-1) } };
    expect(feeds.whyOf(own)).toBe('own.noAnswer');
    expect(feeds.current(feeds.checked(after(offered, popped), { ...own, times: { ...own.times, hangup: at(0) } }))).toMatchObject({
      phase: 'failed',
      why: 'own.noAnswer',
      customer: { name: '李雷' },
    });
  });
});

describe('a call at the agent’s own telephone', () => {
  const about = { call_id: 'a1', agent_id: '1001', line: 'line 1', calling: { raw: '' }, called: { raw: '057188880001' } };
  const popped = { ...about, type: 'delivered', user_data: { attended: true, customer: null } };
  const number = { e164: '+8613800138000', raw: '13800138000' };
  const told = { ...about, type: 'callInformation', calling: number };
  const found = { ...told, user_data: { customer: { id: 'k1', name: '李雷' } } };
  const unanswered = { ...about, type: 'connectionCleared', cause: 'noAnswer' };
  const ended = { ...about, type: 'callCleared', cause: 'canceled' };

  it('learns the number, then the customer', () => {
    expect(feeds.current(after(popped))).toMatchObject({ phase: 'ringing', attended: true, line: 'line 1', number: { raw: '' }, customer: null });
    expect(feeds.current(after(popped, told))).toMatchObject({ phase: 'ringing', number, customer: null });
    expect(feeds.current(after(popped, told, found))).toMatchObject({ phase: 'ringing', number, customer: { name: '李雷' }, rang: t0 + 1000 });
  });

  it('that nobody took was missed, until something else rings', () => {
    const feed = after(popped, told, found, unanswered, ended);
    expect(feeds.current(feed, t0 + 3_600_000)).toMatchObject({ phase: 'missed', number, customer: { name: '李雷' }, ended: t0 + 4000 });
    expect(feeds.current(feeds.receive(feed, { seq: 300, time: at(9), ...delivered } as BoxEvent))?.id).toBe('c1');
    const offers = [{ agent: '1001', start: at(1), end: at(9), outcome: 'noAnswer' }];
    const record = { id: 'a1', direction: 'in', result: 'abandoned', from: {}, to: {}, times: {}, offers } as CallRecord;
    expect(feeds.isAttended(record)).toBe(true);
    expect(feeds.current(feeds.checked(after(popped), record))).toMatchObject({ phase: 'missed', ended: t0 + 9000 });
  });

  it('is no missed one when the box goes down', () => {
    expect(feeds.current(after(popped, { ...unanswered, cause: 'canceled' }, ended))).toBeUndefined();
  });

  it('does not ring when the agent makes it', () => {
    const out = { ...about, called: number, user_data: { direction: 'out', attended: true } };
    expect(feeds.current(after({ ...out, type: 'offered' }, { ...out, type: 'delivered' }))).toMatchObject({ phase: 'dialling', number });
  });

  it('is known as such after a reload', () => {
    const record = { id: 'a1', direction: 'in', result: null, from: {}, to: {}, times: { seize: at(-9), agent_answer: at(-5) } } as CallRecord;
    expect(feeds.fromRecord({ ...record, recording: { state: 'recording', mixed: true } }).attended).toBe(true);
    expect(feeds.fromRecord({ ...record, queue: { id: 'q', name: '' }, offers: [{ agent: '1001' }] }).attended).toBe(false);
  });
});

describe('telephone lines', () => {
  const lines = [{ label: 'line 1', number: '057188880001', state: 'inService' as const, since: at(-60), busy: false }];
  const lost = { type: 'lineState', line: 'line 1', user_data: { state: 'outOfService', why: 'the port is gone', number: '057188880001', busy: false } };

  it('follow their events', () => {
    const feed = feeds.withLines(after(), lines);
    expect(feed.lines['line 1']).toMatchObject({ state: 'inService', sinceMs: t0 - 60_000 });
    const out = feeds.receive(feed, { seq: 200, time: at(5), ...lost } as BoxEvent);
    expect(out.lines['line 1']).toMatchObject({ state: 'outOfService', why: 'the port is gone', sinceMs: t0 + 5000 });
    const still = feeds.receive(out, { seq: 201, time: at(6), ...lost, user_data: { ...lost.user_data, why: 'the port is not there' } } as BoxEvent);
    expect(still.lines['line 1']).toMatchObject({ why: 'the port is not there', sinceMs: t0 + 5000 });
  });

  it('are known from an event alone, and asked for when a call takes one', () => {
    expect(after(lost).lines['line 1']?.state).toBe('outOfService');
    expect(after({ type: 'lineState', line: 'x', user_data: { state: 7 } }).lines['x']?.state).toBe('outOfService');
    expect(after({ type: 'lineState', line: 'carrier', user_data: { state: 'outOfService', trunk: true } }).lines['carrier']).toBeUndefined();
    expect(after({ ...delivered, line: 'line 1' }).stale.lines).toBe(after(delivered).stale.lines + 1);
  });

  it.each([
    ['', ''],
    ['the port is not there: open /dev/ttyACM0: no such file or directory', 'absent'],
    ['read: the port is gone: EIO', 'gone'],
    ['the port is used by another program', 'taken'],
    ['open /dev/ttyACM0: permission denied', 'denied'],
    ['reset 3 times: the box does not answer', 'silent'],
    ['something new', 'unknown'],
  ])('%j is trouble %j', (why, kind) => expect(troubleOf(why)).toBe(kind));
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
      name: '班长',
      text: '开会',
    });
    const own = { type: 'message', user_data: { from: '1001', to: 'boss', name: '王芳', text: '好' } };
    const feed = feeds.receive({ ...after(), who: '1001' }, { seq: 200, time: at(9), ...own });
    expect(feed.note).toBeNull();
    expect(feed.stale.chat).toBe(after().stale.chat + 1);
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

  it('leaves a call to its agent when a supervisor listens in', () => {
    const boss = { ...shot, agent: { id: 'boss', name: '张主管', state: 'notReady' as const, since: at(-30) } };
    const listens = { call_id: 'c1', agent_id: 'boss', user_data: { mode: 'listen', by: 'boss' } };
    const events = [delivered, established, { ...listens, type: 'delivered' }, { ...listens, type: 'established' }];
    const feed = events.reduce<feeds.Feed>((now, event, i) => feeds.receive(now, { seq: 101 + i, time: at(i), ...event } as BoxEvent), feeds.receive(feeds.empty, boss));
    expect(feed.calls['c1']).toMatchObject({ agent: '1001', phase: 'talking' });
    expect(feeds.current(feed)).toBeUndefined();
  });

  it('asks for the list again when an agent is new', () => {
    const feed = after({ type: 'agentLoggedOn', agent_id: '1009' });
    expect(feed.stale.desks).toBe(after().stale.desks + 1);
  });
});
