import { describe, expect, it } from 'vitest';
import type { BoxEvent, CallRecord, LegRecord, Snapshot } from '../src/lib/contract.ts';
import * as feeds from '../src/lib/feed.ts';
import { may, waits } from '../src/lib/talk.ts';

const t0 = Date.parse('2026-03-09T10:00:00.000Z');
const at = (s: number) => new Date(t0 + s * 1000).toISOString();
const shot: Snapshot = {
  type: 'snapshot', seq: 100, time: at(0), calls: [], queues: [],
  agent: { id: '1001', name: '王芳', state: 'ready', since: at(-30) },
};

type Told = Partial<BoxEvent>;
const outside = 'out', own = 'own', asked = 'ask';
const of = (type: string, connection_id?: string, more: Told = {}): Told => ({ type, call_id: 'c1', agent_id: '1001', ...(connection_id ? { connection_id } : {}), ...more });
const delivered = of('delivered', own, { calling: { e164: '+8613800138000' } });
const talking = [delivered, of('established', own)];
const consulting = [...talking, of('held', outside), of('established', asked)];

function feedAfter(events: Told[], from = shot): feeds.Feed {
  let feed = feeds.receive(feeds.empty, from);
  events.forEach((event, i) => {
    feed = feeds.receive(feed, { seq: 101 + i, time: at(i + 1), type: 'offered', ...event });
    if (event.type === 'held' && event.connection_id === outside) feed = feeds.withAsked(feed, 'c1', asked, { agent: '1002', label: '赵敏' }, t0);
  });
  return feed;
}

function call(events: Told[], from = shot): feeds.LiveCall | undefined {
  return feeds.current(feedAfter(events, from));
}

describe('the own part in a talk', () => {
  it('is held and taken back', () => {
    let feed = feeds.receive(feeds.empty, shot);
    const hear = (event: Told, seq: number) => (feed = feeds.receive(feed, { seq, time: at(seq - 100), type: '', ...event }));
    talking.forEach((event, i) => hear(event, 101 + i));
    hear(of('held', outside), 103);
    expect(feeds.current(feed)).toMatchObject({ phase: 'held', talk: { standing: 'holding', stood: t0 + 3000, outside } });
    hear(of('retrieved', outside), 104);
    expect(feeds.current(feed)).toMatchObject({ phase: 'talking', talk: { standing: 'talking', stood: t0 + 4000 } });
  });

  it('asks, consults, alternates and comes back', () => {
    expect(call([...talking, of('held', outside)])).toMatchObject({ phase: 'held', talk: { standing: 'asking', asked: { agent: '1002', label: '赵敏', answered: false } } });
    expect(call(consulting)).toMatchObject({ phase: 'held', talk: { standing: 'consulting', asked: { answered: true, connection: asked } } });
    const alternated = [...consulting, of('held', asked), of('retrieved', outside)];
    expect(call(alternated)).toMatchObject({ phase: 'talking', talk: { standing: 'alternated' } });
    expect(call([...consulting, of('connectionCleared', asked, { cause: 'normal' }), of('retrieved', outside)])).toMatchObject({
      phase: 'talking', agent: '1001', talk: { standing: 'talking', asked: null, unasked: '' },
    });
  });

  it('goes on when nobody comes, and says why', () => {
    const events = [...talking, of('held', outside), of('connectionCleared', asked, { cause: 'noAnswer' }), of('failed', asked, { cause: 'noAnswer' })];
    expect(call(events)).toMatchObject({ phase: 'held', talk: { standing: 'holding', asked: null, unasked: 'noAnswer' } });
    expect(call([...events, of('retrieved', outside)])?.talk.unasked).toBe('');
  });

  it('is one of three and more, and loses them one by one', () => {
    const three = [...consulting, of('conferenced', asked, { user_data: { by: '1001' } })];
    expect(call(three)).toMatchObject({ phase: 'talking', talk: { standing: 'talking', asked: null, others: [{ agent: '1002', connection: asked }] } });
    const barged = [...three, of('conferenced', 'sup', { user_data: { by: 'boss', mode: 'barge' } })];
    expect(call(barged)?.talk.others.map((one) => one.agent)).toEqual(['1002', 'boss']);
    expect(call([...barged, of('connectionCleared', asked)])?.talk.others.map((one) => one.agent)).toEqual(['boss']);
  });

  it('ends with the own leg, and not with another’s', () => {
    expect(call([...consulting, of('transferred', asked, { user_data: { by: '1001', to: '1002' } }), of('connectionCleared', own)])?.phase).toBe('over');
    expect(call([...consulting, of('connectionCleared', 'somebody')])?.phase).toBe('held');
  });

  it('tells whether it is recorded, and who is not heard', () => {
    expect(call([...talking, of('recordPaused', outside)])?.talk).toMatchObject({ recording: 'paused', paused: t0 + 3000 });
    expect(call([...talking, of('recordPaused', outside), of('recordStarted', outside)])?.talk).toMatchObject({ recording: 'on', paused: undefined });
    const silent = of('noAudio', outside, { user_data: { seconds: 20 } });
    expect(call([...talking, silent])?.talk.unheard).toEqual([outside]);
    expect(call([...talking, silent, of('noAudio', outside, { user_data: { over: true } })])?.talk.unheard).toEqual([]);
  });

  it('consults who is new while the caller waits, whoever asked', () => {
    const events = [...talking, { ...of('held', outside), connection_id: 'elsewhere' }, of('established', 'p')];
    expect(call(events)).toMatchObject({ phase: 'held', talk: { standing: 'consulting', asked: { connection: 'p' } } });
  });
});

describe('a colleague who is asked', () => {
  const rung = [{ ...delivered, user_data: { consulted_by: '1007' } }, of('established', own)];

  it('is told by whom, and takes over or joins', () => {
    expect(call(rung.slice(0, 1))).toMatchObject({ phase: 'ringing', talk: { errand: 'consult', by: '1007' } });
    expect(call(rung)).toMatchObject({ phase: 'talking', talk: { standing: 'asked', by: '1007' } });
    expect(call([...rung, of('held', own)])?.talk.standing).toBe('parked');
    expect(call([...rung, of('held', own), of('retrieved', own)])?.talk.standing).toBe('asked');
    const mine = call([...rung, of('transferred', own, { user_data: { by: '1007', to: '1001' } }), of('connectionCleared', 'theirs')]);
    expect(mine).toMatchObject({ phase: 'talking', talk: { standing: 'talking', errand: '', by: '' } });
    expect(call([...rung, of('conferenced', own, { user_data: { by: '1007' } })])?.talk.others).toMatchObject([{ agent: '1007' }]);
  });

  it('is given the call while the telephone still rings', () => {
    const given = [...rung.slice(0, 1), of('transferred', own, { user_data: { by: '1007', to: '1001' } })];
    expect(call(given)).toMatchObject({ phase: 'ringing', talk: { errand: 'transfer', by: '1007' } });
    const taken = call([...given, of('established', own)]);
    expect(taken).toMatchObject({ phase: 'talking', talk: { standing: 'talking' } });
    expect(taken && may(taken.talk, 'hold')).toBe(true);
  });

  it('is rung by an outgoing call, too', () => {
    const out = call([{ ...delivered, user_data: { consulted_by: '1007', direction: 'out' } }]);
    expect(out && feeds.isIncoming(out)).toBe(true);
  });
});

describe('a record', () => {
  const leg = (id: string, kind: string, agent = '', standing = '', since = 0): LegRecord => ({
    id, kind, agent, device: `sip:${agent || '13800138000'}`, start: at(-9), end: null, ...(standing ? { standing, standing_since: at(since) } : {}),
  });
  const mine = (standing: string, since = -3) => leg(own, 'agent', '1001', standing, since);
  const record: CallRecord = {
    id: 'c1', direction: 'in', result: null, from: { raw: '1' }, to: {}, agent: { id: '1001', name: '' },
    legs: [leg(outside, 'outside'), mine('talking')], offers: [{ agent: '1001', start: at(-20), end: at(-9), outcome: 'answered', why: '' }],
    times: { seize: at(-30), agent_answer: at(-9) }, recording: { state: 'recording', pauses: [{ start: at(-2), end: null }] },
  };
  const offer = (agent: string, why: string, outcome = 'answered') => ({ agent, start: at(-1), end: outcome ? at(0) : null, outcome, why });
  const seen = (more: Partial<CallRecord>, before = feeds.empty) => feeds.current(feeds.receive(before, { ...shot, calls: [{ ...record, ...more }] }));
  const among = (legs: LegRecord[], ...offers: ReturnType<typeof offer>[]) =>
    seen({ legs: [leg(outside, 'outside'), ...legs], offers: [...(record.offers ?? []), ...offers] });

  it('tells the legs and the pause', () => {
    expect(seen({})).toMatchObject({ phase: 'talking', talk: { own, outside, standing: 'talking', stood: t0 - 3000, recording: 'paused', paused: t0 - 2000 } });
    expect(among([mine('talking'), { ...leg('s', 'supervisor', 'boss', 'listening'), mode: 'listen' }])?.talk.others).toEqual([]);
    const barging = { ...leg('s', 'supervisor', 'boss', 'listening'), mode: 'barge' };
    expect(among([mine('talking'), barging])?.talk.others).toMatchObject([{ agent: 'boss' }]);
  });

  it('tells who waits, and since when', () => {
    const held = among([mine('holding')]);
    expect(held).toMatchObject({ phase: 'held', talk: { standing: 'holding', stood: t0 - 3000, asked: null } });
    expect(held && may(held.talk, 'retrieve')).toBe(true);
  });

  it('tells whom the agent asks', () => {
    expect(among([mine('asking')], offer('1002', 'consult by 1001', ''))).toMatchObject({
      phase: 'held', talk: { standing: 'asking', asked: { agent: '1002', connection: '', answered: false, since: t0 - 1000 } },
    });
    expect(among([mine('asking')])?.talk.asked).toMatchObject({ agent: '', answered: false, since: t0 - 3000 }); // a number
    const theirs = leg(asked, 'consult', '1002', 'asked');
    expect(among([mine('consulting'), theirs], offer('1002', 'consult by 1001'))).toMatchObject({
      phase: 'held', talk: { standing: 'consulting', asked: { agent: '1002', connection: asked, answered: true }, others: [] },
    });
    const number = leg(asked, 'number', '', 'asked');
    expect(among([mine('alternated'), number])).toMatchObject({ phase: 'talking', talk: { standing: 'alternated', asked: { connection: asked, label: '13800138000' } } });
  });

  it('tells those in a conference apart from whom another of them asks', () => {
    const three = [mine('talking'), leg('b', 'agent', '1002', 'consulting'), leg('c', 'consult', '1003', 'asked')];
    const talk = among(three, offer('1002', 'consult by 1001'), offer('1003', 'consult by 1002'))?.talk;
    expect(talk).toMatchObject({ standing: 'talking', asked: null });
    expect(talk?.others.map((one) => one.agent)).toEqual(['1002']);
    const both = [mine('consulting'), leg('b', 'agent', '1002', 'consulting'), leg('c', 'consult', '1003', 'asked'), leg('d', 'consult', '1004', 'asked')];
    const mineIs = among(both, offer('1003', 'consult by 1002'), offer('1004', 'consult by 1001'))?.talk;
    expect(mineIs).toMatchObject({ asked: { agent: '1004' }, others: [{ agent: '1002' }] });
  });

  it('shows the call to who is consulted in it', () => {
    const theirs = { agent: { id: '1007', name: '' } };
    const legs = (standing: string, since: number) => [leg(outside, 'outside'), leg('theirs', 'agent', '1007', standing, since), leg(own, 'consult', '1001', 'asked', -5)];
    const offers = [offer('1001', 'consult by 1007')];
    expect(seen({ ...theirs, offers, legs: legs('consulting', -5) })).toMatchObject({ phase: 'talking', talk: { standing: 'asked', by: '1007', stood: t0 - 5000, others: [] } });
    expect(seen({ ...theirs, offers, legs: legs('alternated', -1) })).toMatchObject({ talk: { standing: 'parked', by: '1007', stood: t0 - 1000 } });
    const open = [offer('1001', 'consult by 1007', '')];
    expect(seen({ ...theirs, offers: open, legs: legs('asking', 0).slice(0, 2) })).toMatchObject({ phase: 'ringing', talk: { errand: 'consult', by: '1007' } });
    expect(seen({ ...theirs, offers: open, legs: legs('asking', 0).slice(0, 1) })).toMatchObject({ phase: 'ringing', talk: { errand: 'transfer', by: '1007' } });
  });

  it('tells who gave the call away', () => {
    expect(among([mine('talking')], offer('1001', 'transfer by 1007'))?.talk).toMatchObject({ errand: 'transfer', by: '1007' });
    expect(among([mine('talking')], offer('1001', 'consult by 1007'))?.talk).toMatchObject({ errand: '', by: '' }); // over
  });

  it('outranks what was heard before', () => {
    const before = feedAfter([...consulting, of('held', asked), of('retrieved', outside)]);
    expect(seen({}, before)).toMatchObject({ phase: 'talking', talk: { standing: 'talking', asked: null } });
    expect(seen({ legs: [leg(outside, 'outside'), mine('holding')] }, before)).toMatchObject({ phase: 'held', talk: { standing: 'holding' } });
  });

  it('is ahead of events, which change nothing then', () => {
    const after = (legs: LegRecord[], ...events: Told[]) => feedAfter(events, { ...shot, calls: [{ ...record, legs: [leg(outside, 'outside'), ...legs] }] });
    expect(feeds.current(after([mine('talking')], of('retrieved', outside)))?.talk).toMatchObject({ standing: 'talking', stood: t0 - 3000 });
    const theirs = leg(asked, 'consult', '1002', 'asked');
    expect(feeds.current(after([mine('consulting'), theirs], of('established', asked)))?.talk).toMatchObject({ standing: 'consulting', stood: t0 - 3000, others: [] });
    const three = [mine('talking'), leg('theirs', 'agent', '1007', 'talking')];
    const talk = feeds.current(after(three, of('conferenced', own, { user_data: { by: '1007' } })))?.talk;
    expect(talk?.others.map((one) => one.agent)).toEqual(['1007']);
  });

  it('fills in what the pop does not say', () => {
    const feed = feeds.withRecord(feedAfter(talking), { ...record, recording: { state: 'recording' } });
    expect(feeds.current(feed)?.talk).toMatchObject({ outside, recording: 'on' });
  });
});

describe('the supervisor', () => {
  it('sees a consultation as one call, then with the other agent', () => {
    const floor = { ...shot, agent: null };
    const events = [
      ...talking,
      { ...of('held', 'x') },
      of('delivered', asked, { agent_id: '1002', user_data: { consulted_by: '1001' } }),
      of('established', asked, { agent_id: '1002' }),
      of('established', asked),
    ];
    expect(feedAfter(events, floor).calls['c1']).toMatchObject({ phase: 'held', agent: '1001', talk: { asked: { agent: '1002', answered: true } } });
    const moved = [...events, of('transferred', asked, { user_data: { by: '1001', to: '1002' } }), of('connectionCleared', own)];
    expect(feedAfter(moved, floor).calls['c1']).toMatchObject({ phase: 'talking', agent: '1002', talk: { own: asked } });
  });
});

describe('commands', () => {
  it('are those that the box takes', () => {
    const talk = (events: Told[]) => call(events)?.talk ?? expect.fail('no call');
    expect(may(talk(talking), 'consult') && may(talk(talking), 'hold')).toBe(true);
    expect(may(talk(consulting), 'hold')).toBe(false);
    expect(may(talk(consulting), 'transfer') && may(talk(consulting), 'conference')).toBe(true);
    expect(may(talk([...talking, of('held', outside)]), 'conference')).toBe(false);
    expect(waits(talk(consulting))).toBe(true);
    expect(waits(talk(talking))).toBe(false);
  });
});

describe('the desk', () => {
  it('tells which telephone rings, and when wrap-up ends', () => {
    const feed = feedAfter([{ type: 'agentWorkingAfterCall', agent_id: '1001', user_data: { device: 'browser', until: at(30) } }]);
    expect(feed.me).toMatchObject({ device: 'browser', untilMs: t0 + 30_000 });
    expect(feedAfter([{ type: 'agentReady', agent_id: '1001', user_data: { until: null } }]).me?.untilMs).toBeUndefined();
  });
});

describe('the pop', () => {
  it('lists all who have the number', () => {
    const matches = [{ id: 'k1', name: '李雷', vip: true }, { id: 'k2', name: '韩梅梅' }, { name: 'nobody' }];
    expect(call([{ ...delivered, user_data: { matches } }])?.matches).toEqual([matches[0], { ...matches[1], vip: false }]);
  });
});
