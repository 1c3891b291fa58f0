import { describe, expect, it } from 'vitest';
import type { CallRecord } from '../src/lib/contract.ts';
import { fromRecord, type DeskView, type LiveCall } from '../src/lib/feed.ts';
import { columnsFor, keyIn, levelTone, percent, waitTone } from '../src/lib/figures.ts';
import { explain } from '../src/screens/floor/explain.ts';
import { arrange, callsByAgent, columnsIn, count, keepOrder, ongoing, rowsOf, sightOf, type Filter, type Row } from '../src/screens/floor/grid.ts';
import { partIn, whyNotSet, whyNotSupervise, type Means } from '../src/screens/floor/may.ts';

const t0 = Date.parse('2026-03-09T10:00:00.000Z');
const at = (s: number) => new Date(t0 + s * 1000).toISOString();

function desk(id: string, state: DeskView['state'], seconds: number, more: Partial<DeskView> = {}): DeskView {
  return { id, name: `agent ${id}`, state, sinceMs: t0 + seconds * 1000, untilMs: undefined, onCall: '', queues: ['repair'], ...more };
}

const record: CallRecord = {
  id: 'c1',
  direction: 'in',
  result: null,
  from: { raw: '13800138000' },
  to: {},
  agent: { id: '2', name: 'two' },
  queue: { id: 'repair', name: 'repair' },
  offers: [{ agent: '2', start: at(0), end: at(2), outcome: 'answered' }],
  times: { seize: at(-20), answer: at(-19), queue_in: at(-5), agent_answer: at(2) },
  legs: [
    { id: 'o', kind: 'outside', start: at(-19), end: null },
    { id: 'a', kind: 'agent', agent: '2', start: at(2), end: null },
  ],
};
const talking = fromRecord(record);
const ringing: LiveCall = { ...talking, id: 'c2', phase: 'ringing', agent: '4', rang: t0 };

const all: Filter = { queue: '', standing: '', find: '' };
const desks = Object.fromEntries(
  [
    desk('1', 'ready', -10),
    desk('2', 'ready', -500),
    desk('3', 'notReady', -60, { reason: 'lunch', queues: ['sales'] }),
    desk('4', 'ready', -5),
    desk('5', 'ready', -90),
    desk('6', 'loggedOff', -9999),
  ].map((one) => [one.id, one]),
);
const rows = (before: ReadonlyMap<string, Row> = new Map()) => rowsOf(desks, callsByAgent([talking, ringing]), before);

describe('the grid', () => {
  it('shows who talks and rings by the calls, not by the state', () => {
    const seen = rows();
    expect([...seen.values()].map((row) => row.shows)).toEqual(['ready', 'talking', 'notReady', 'ringing', 'ready', 'loggedOff']);
    expect(seen.get('2')).toMatchObject({ since: t0 + 2000, call: { id: 'c1' } });
  });

  it('keeps the rows of which nothing has changed', () => {
    const first = rows();
    const second = rowsOf({ ...desks, 5: desk('5', 'notReady', 0) }, callsByAgent([talking, ringing]), first);
    expect(second.get('1')).toBe(first.get('1'));
    expect(second.get('2')).toBe(first.get('2'));
    expect(second.get('5')).not.toBe(first.get('5'));
  });

  it.each([
    ['state', ['5', '1', '4', '2', '3', '6']],
    ['longest', ['5', '3', '1', '4', '2', '6']],
    ['name', ['1', '2', '3', '4', '5', '6']],
  ] as const)('by %s', (order, ids) => expect(arrange(rows().values(), all, order)).toEqual(ids));

  it.each([
    [{ queue: 'sales' }, ['3']],
    [{ standing: 'ready' as const }, ['5', '1']],
    [{ find: ' AGENT 4 ' }, ['4']],
    [{ find: 'nobody' }, []],
  ])('shows who fits %j', (part, ids) => expect(arrange(rows().values(), { ...all, ...part }, 'state')).toEqual(ids));

  it('moves nothing below the hand: who fits no more is gone, who is new stands at the end', () => {
    const now = rowsOf({ ...desks, 5: desk('5', 'notReady', 0), 7: desk('7', 'ready', -1000) }, new Map(), rows());
    expect(keepOrder(['5', '1', '4'], now, { ...all, standing: 'ready' }, 'state')).toEqual(['1', '4', '7', '2']);
  });

  it('counts in the queue that is looked at', () => {
    expect(count(rows().values(), '')).toMatchObject({ ready: 2, talking: 1, ringing: 1, notReady: 1, loggedOff: 1 });
    expect(count(rows().values(), 'sales')).toMatchObject({ ready: 0, notReady: 1 });
  });

  it('puts who was asked into a call on it, and no supervisor’s guess before an own call', () => {
    const party = { connection: 'x', agent: '5', label: '', answered: true, since: t0 };
    expect(callsByAgent([{ ...talking, talk: { ...talking.talk, asked: party } }]).get('5')?.id).toBe('c1');
    expect(callsByAgent([{ ...talking, talk: { ...talking.talk, asked: { ...party, answered: false } } }]).has('5')).toBe(false);
  });
});

describe('a call that a supervisor listens to', () => {
  const listened: LiveCall = { ...talking, phase: 'ringing', agent: 'boss' };

  it('is still that of the agent whose desk is on it', () => {
    expect(ongoing([listened], { 2: desk('2', 'ready', 0, { onCall: 'c1' }) })).toMatchObject([{ agent: '2', phase: 'talking' }]);
    expect(ongoing([listened], { 2: desk('2', 'ready', 0) })).toEqual([listened]);
  });

  it('is the supervisor’s who has taken it over', () => {
    const both = { 2: desk('2', 'workingAfterCall', 0), boss: desk('boss', 'ready', 0, { onCall: 'c1' }) };
    expect(ongoing([{ ...listened, phase: 'talking' }], both)).toMatchObject([{ agent: 'boss', phase: 'talking' }]);
  });

  it('is not shown when it is over', () => expect(ongoing([{ ...talking, phase: 'over' }], {})).toEqual([]));
});

describe('what is in sight', () => {
  it('is a row more than can be seen, above and below', () => {
    expect(sightOf(500, 4, 110, 10, 0, 500)).toEqual({ from: 0, to: 24, above: 0, whole: 125 * 110 - 10 });
    expect(sightOf(500, 4, 110, 10, 1100, 500)).toEqual({ from: 36, to: 64, above: 990, whole: 13740 });
  });

  it('never begins behind the end', () => {
    expect(sightOf(5, 4, 110, 10, 9000, 500)).toMatchObject({ from: 4, to: 5 });
    expect(sightOf(0, 4, 110, 10, 0, 500)).toEqual({ from: 0, to: 0, above: 0, whole: 0 });
  });

  it('fits as many columns as have their least width', () => {
    expect(columnsIn(920, 225, 9)).toBe(3);
    expect(columnsIn(927, 225, 9)).toBe(4);
    expect(columnsIn(100, 225, 9)).toBe(1);
  });
});

describe('explain', () => {
  it('takes the box’s words apart', () => {
    expect(explain('longest_idle: idle 3 s; not 1002 (busy), 1003 (idle 2 s), a.b (workingAfterCall); more: 7 not ready, 2 skill')).toEqual({
      strategy: 'longest_idle',
      merit: { because: 'idle', n: 3, raw: 'idle 3 s' },
      passed: [
        { agent: '1002', because: 'busy', n: 0, raw: 'busy' },
        { agent: '1003', because: 'idle', n: 2, raw: 'idle 2 s' },
        { agent: 'a.b', because: 'workingAfterCall', n: 0, raw: 'workingAfterCall' },
      ],
      more: [
        { because: 'notReady', n: 7, raw: 'not ready' },
        { because: 'skill', n: 2, raw: 'skill' },
      ],
      errand: '',
      by: '',
    });
  });

  it.each([
    ['least_talk: 40 s of talk', { strategy: 'least_talk', merit: { because: 'talk', n: 40 } }],
    ['fewest_calls: 2 calls; not 1 (no_phone)', { passed: [{ agent: '1', because: 'noPhone' }] }],
    ['random: drawn; not 1 (a new reason)', { passed: [{ agent: '1', because: 'unknown', raw: 'a new reason' }] }],
    ['consult by 1001', { errand: 'consult', by: '1001' }],
    ['recall by 1001', { errand: 'recall', by: '1001' }],
  ])('%s', (why, parts) => expect(explain(why)).toMatchObject(parts));

  it.each(['asked for by name', '', undefined])('leaves %s as it is', (why) => expect(explain(why)).toBeUndefined());
});

const means: Means = { role: 'supervisor', user: 'boss', line: true, phone: true, own: '', supervised: '' };

describe('a supervisor', () => {
  it.each([
    [talking, {}, ''],
    [{ ...talking, phase: 'held' as const }, {}, ''],
    [undefined, {}, 'sup.why.noCall'],
    [ringing, {}, 'sup.why.notTalking'],
    [{ ...talking, attended: true }, {}, 'sup.why.attended'],
    [talking, { phone: false }, 'sup.why.noPhone'],
    [talking, { role: 'auditor' as const }, 'sup.why.role'],
    [talking, { line: false }, 'why.offline'],
    [talking, { own: 'c9' }, 'sup.why.inCall'],
    [talking, { own: 'c1' }, 'sup.why.own'],
    [talking, { user: '2' }, 'sup.why.own'],
    [talking, { supervised: 'c9' }, 'sup.why.another'],
    [talking, { supervised: 'c1', own: 'c1' }, ''],
  ])('%#: takes part or hears why not', (call, more, why) => expect(whyNotSupervise(call, { ...means, ...more })).toBe(why));

  it.each([
    ['ready', '', 'notReady', false, ''],
    ['ready', '', 'ready', false, 'sup.why.same'],
    ['ready', 'notReady', 'ready', false, ''],
    ['ready', '', 'ready', true, ''],
    ['notReady', '', 'notReady', false, ''],
    ['workingAfterCall', '', 'workingAfterCall', false, ''],
    ['loggedOff', '', 'ready', false, 'sup.why.loggedOff'],
  ] as const)('from %s (%s) sets %s or hears why not', (now, pending, wish, onCall, why) => expect(whyNotSet(now, pending, wish, onCall, means)).toBe(why));

  const leg = { id: 's', kind: 'supervisor', agent: 'boss', mode: 'whisper', start: at(5), end: null };
  const of = (...legs: CallRecord['legs'] & object) => partIn({ ...record, legs: [...(record.legs ?? []), ...legs] }, 'boss');

  it('has the part that the record tells of', () => {
    expect(of()).toBe('rings');
    expect(of({ ...leg, mode: '' })).toBe('rings');
    expect(of(leg)).toBe('whisper');
    expect(of({ ...leg, end: at(6) })).toBe('gone');
    expect(of({ ...leg, end: at(6) }, { ...leg, id: 't', mode: 'barge' })).toBe('barge');
    expect(of({ ...leg, kind: 'agent', mode: 'takeover' })).toBe('takeover');
    expect(partIn({ ...record, result: 'answered', legs: [leg] }, 'boss')).toBe('gone');
  });
});

describe('figures', () => {
  it.each([
    [{ waiting: 0, longest_wait: 99, service_seconds: 20 }, ''],
    [{ waiting: 1, longest_wait: 20, service_seconds: 20 }, ''],
    [{ waiting: 1, longest_wait: 21, service_seconds: 20 }, 'warn'],
    [{ waiting: 1, longest_wait: 41, service_seconds: null }, 'bad'],
  ])('a wait of %j', (queue, tone) => expect(waitTone(queue)).toBe(tone));

  it('have a goal and a form', () => {
    expect([null, 0.8, 0.79, 0.59].map(levelTone)).toEqual(['', 'good', 'warn', 'bad']);
    expect([null, 0, 0.123].map(percent)).toEqual(['–', '0%', '12%']);
  });

  it('fit on a wall', () => {
    expect([0, 14, 15, 30, 42, 500].map(columnsFor)).toEqual([2, 2, 3, 5, 6, 6]);
    expect(keyIn('#key=a%2Bb')).toBe('a+b');
    expect(keyIn('')).toBe('');
  });
});
