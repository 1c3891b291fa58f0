// The agents' grid as pure functions: who stands how, who is shown, in which
// order, and which rows of it are in sight.

import { isEnded, type DeskView, type LiveCall } from '../../lib/feed.ts';

export const standings = ['ready', 'ringing', 'talking', 'dialling', 'workingAfterCall', 'notReady', 'loggedOff'] as const;
export type Standing = (typeof standings)[number];

export const orders = ['state', 'longest', 'name'] as const;
export type Order = (typeof orders)[number];

/** One agent as the grid shows him. */
export interface Row {
  id: string;
  desk: DeskView;
  /** The call he has, is offered, or is asked into. */
  call: LiveCall | undefined;
  shows: Standing;
  /** Since when, in the box's time. */
  since: number;
}

export interface Filter {
  queue: string;
  standing: Standing | '';
  /** A part of a name or an id. */
  find: string;
}

/** Since when a call is as it is. */
export function callSince(call: LiveCall): number {
  if (call.phase === 'talking' || call.phase === 'held') return call.talked ?? call.began;
  return (call.phase === 'ringing' || call.phase === 'dialling' ? call.rang : undefined) ?? call.began;
}

/** What an agent does on a call. */
function during(call: LiveCall): Standing {
  if (call.phase === 'ringing') return 'ringing';
  return call.phase === 'dialling' || call.phase === 'arriving' ? 'dialling' : 'talking';
}

/**
 * The calls that are not over, oldest first, each with the agent whose desk says
 * that he is on it: a supervisor's telephone that rings to listen in is told of
 * in the same words as an agent's.
 */
export function ongoing(calls: Iterable<LiveCall>, desks: Readonly<Record<string, DeskView>>): LiveCall[] {
  const seated = new Map(Object.values(desks).flatMap((desk) => (desk.onCall ? [[desk.onCall, desk.id]] : [])));
  return [...calls]
    .filter((call) => !isEnded(call))
    .map((call) => {
      const agent = seated.get(call.id);
      if (!agent || desks[call.agent]?.onCall === call.id || call.direction === 'out') return call;
      return { ...call, agent, phase: call.phase === 'ringing' ? ('talking' as const) : call.phase };
    })
    .sort((a, b) => a.began - b.began);
}

/** Which call of those that are not over each agent has: the own one before one that he was only asked into. */
export function callsByAgent(calls: Iterable<LiveCall>): Map<string, LiveCall> {
  const own = new Map<string, LiveCall>();
  const asked = new Map<string, LiveCall>();
  for (const call of calls) {
    if (call.agent) own.set(call.agent, call);
    for (const party of [call.talk.asked, ...call.talk.others]) if (party?.agent && party.answered) asked.set(party.agent, call);
  }
  return new Map([...asked, ...own]);
}

function rowOf(desk: DeskView, call: LiveCall | undefined): Row {
  const held = call && desk.state !== 'loggedOff' ? call : undefined;
  const shows = held ? during(held) : desk.onCall ? 'talking' : desk.state;
  return { id: desk.id, desk, call: held, shows, since: held ? callSince(held) : desk.sinceMs };
}

/** All rows; those of which nothing has changed are those of before. */
export function rowsOf(desks: Readonly<Record<string, DeskView>>, calls: Map<string, LiveCall>, before: ReadonlyMap<string, Row>): Map<string, Row> {
  const rows = new Map<string, Row>();
  for (const desk of Object.values(desks)) {
    const old = before.get(desk.id);
    const call = calls.get(desk.id);
    const next = old?.desk === desk && old.call === call ? old : rowOf(desk, call);
    rows.set(desk.id, next);
  }
  return rows;
}

/** How many stand where, in the filter's queue. */
export function count(rows: Iterable<Row>, queue: string): Record<Standing, number> {
  const counts = Object.fromEntries(standings.map((one) => [one, 0])) as Record<Standing, number>;
  for (const row of rows) if (isOf(row, queue)) counts[row.shows]++;
  return counts;
}

function isOf(row: Row, queue: string): boolean {
  return !queue || !!row.desk.queues?.includes(queue);
}

export function fits(row: Row, filter: Filter): boolean {
  const wanted = filter.find.trim().toLocaleLowerCase();
  return (
    isOf(row, filter.queue) &&
    (!filter.standing || row.shows === filter.standing) &&
    (!wanted || row.desk.name.toLocaleLowerCase().includes(wanted) || row.id.toLocaleLowerCase().includes(wanted))
  );
}

const rank = new Map(standings.map((one, i) => [one, i]));
const byName = new Intl.Collator(['zh-CN', 'en'], { numeric: true });

function nameOrder(a: Row, b: Row): number {
  return byName.compare(a.desk.name, b.desk.name) || byName.compare(a.id, b.id);
}

/** A time to compare by: who has none comes last. */
const time = (row: Row) => (Number.isNaN(row.since) ? Infinity : row.since);

function longestFirst(a: Row, b: Row): number {
  const [one, other] = [time(a), time(b)];
  return one === other ? nameOrder(a, b) : one - other;
}

const compare: Record<Order, (a: Row, b: Row) => number> = {
  state: (a, b) => (rank.get(a.shows) ?? 0) - (rank.get(b.shows) ?? 0) || longestFirst(a, b),
  // Who is logged off has been so for days: at the end.
  longest: (a, b) => Number(a.shows === 'loggedOff') - Number(b.shows === 'loggedOff') || longestFirst(a, b),
  name: nameOrder,
};

/** The ids of those who fit, in order. */
export function arrange(rows: Iterable<Row>, filter: Filter, order: Order): string[] {
  return [...rows]
    .filter((row) => fits(row, filter))
    .sort(compare[order])
    .map((row) => row.id);
}

/** The order of before, without who fits no more and with who is new at its end: nothing moves below the hand. */
export function keepOrder(before: readonly string[], rows: ReadonlyMap<string, Row>, filter: Filter, order: Order): string[] {
  const isShown = (id: string) => rows.has(id) && fits(rows.get(id) as Row, filter);
  const known = new Set(before);
  return [...before.filter(isShown), ...arrange(rows.values(), filter, order).filter((id) => !known.has(id))];
}

export interface Sight {
  /** Of what is rendered: the first one and the one behind the last. */
  from: number;
  to: number;
  /** Pixels of what is not rendered above, and of all. */
  above: number;
  whole: number;
}

/** Which of `all` cards are in sight, and a row more on each side. `pitch` is a row's height with its gap, `gap` the gap alone. */
export function sightOf(all: number, columns: number, pitch: number, gap: number, scrolled: number, height: number): Sight {
  const rows = Math.ceil(all / columns);
  const whole = Math.max(0, rows * pitch - gap);
  const first = Math.min(Math.max(0, Math.floor(scrolled / pitch) - 1), Math.max(0, rows - 1));
  const last = Math.min(rows, Math.ceil((scrolled + height) / pitch) + 1);
  return { from: first * columns, to: Math.min(all, last * columns), above: first * pitch, whole };
}

/** How many columns of a least width fit. */
export function columnsIn(width: number, least: number, gap: number): number {
  return Math.max(1, Math.floor((width + gap) / (least + gap)));
}
