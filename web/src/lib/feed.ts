// What the screen knows, as a pure function of what the box sent: a snapshot,
// then events. Nothing here talks to the network or reads a clock.

import type {
  AgentState,
  BoxEvent,
  CallRecord,
  Customer,
  Desk,
  Match,
  PhoneLine,
  PhoneNumber,
  QueueStatus,
  Ref,
  Snapshot,
} from './contract.ts';
import { asks, begun, fromLegs, given, heard, legOf, noTalk, waits, type Talk } from './talk.ts';
import { ms } from './time.ts';

/**
 * Where a call is, seen from the agent named in it. An outgoing one rings at
 * the agent first, then the number is being dialled; failed and missed are
 * ends without a talk that the agent is told of.
 */
export type Phase = 'arriving' | 'queued' | 'ringing' | 'dialling' | 'talking' | 'held' | 'over' | 'failed' | 'missed';

export interface LiveCall {
  id: string;
  direction: 'in' | 'out';
  phase: Phase;
  /** The outside party. */
  number: PhoneNumber;
  did: string;
  /** The trunk or telephone line. */
  line: string;
  queue: Ref | null;
  /** At the agent's own telephone: the box listens, and can neither answer nor hang up. */
  attended: boolean;
  /** Why an outgoing call failed: the cause, behind `own.` where it was the agent's telephone; else ''. */
  why: string;
  /** Who was offered the call or has it; '' for nobody. */
  agent: string;
  customer: Customer | null;
  /** All who have the number, where it is more than one. */
  matches: readonly Match[];
  /** Who is in the call, and where the agent's own part stands. */
  talk: Talk;
  /** Seconds in the queue until the offer. */
  wait: number | undefined;
  path: string[];
  popUrl: string;
  /** Times of the box in milliseconds. */
  began: number;
  /** Since when it rings, or is being dialled. */
  rang: number | undefined;
  talked: number | undefined;
  ended: number | undefined;
}

export interface QueueView extends QueueStatus {
  /** When the longest wait began, in the box's time; undefined when nobody waits. */
  waitingSince: number | undefined;
}

export interface DeskView extends Desk {
  sinceMs: number;
  /** When wrap-up ends by itself. */
  untilMs: number | undefined;
  /** The agent is on this call; '' for none. */
  onCall: string;
}

export interface LineView extends PhoneLine {
  sinceMs: number;
}

export interface Feed {
  seq: number;
  me: DeskView | null;
  calls: Readonly<Record<string, LiveCall>>;
  queues: Readonly<Record<string, QueueView>>;
  desks: Readonly<Record<string, DeskView>>;
  lines: Readonly<Record<string, LineView>>;
  /** Counts up when a list fetched over HTTP is no longer the newest. */
  stale: { calls: number; texts: number; inbox: number; desks: number; lines: number; chat: number; missed: number };
  /** The last words from another agent or a supervisor. */
  note: { id: string; from: string; name: string; text: string } | null;
  /** Who is logged in: what comes from there is no news. */
  who: string;
}

export const empty: Feed = {
  seq: 0,
  me: null,
  calls: {},
  queues: {},
  desks: {},
  lines: {},
  stale: { calls: 0, texts: 0, inbox: 0, desks: 0, lines: 0, chat: 0, missed: 0 },
  note: null,
  who: '',
};

type Data = Record<string, unknown>;

function record(value: unknown): Data | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Data) : null;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function number(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

function texts(value: unknown): string[] | undefined {
  return Array.isArray(value) ? value.filter((v): v is string => typeof v === 'string') : undefined;
}

/** A customer from outside; undefined when there is none in it. */
function customerOf(value: unknown): Customer | undefined {
  const data = record(value);
  return data && (data['id'] || data['name']) ? (data as Customer) : undefined;
}

function matchesOf(value: unknown): Match[] | undefined {
  if (!Array.isArray(value)) return undefined;
  return value.flatMap((one) => {
    const data = record(one);
    const id = text(data?.['id']);
    return id ? [{ id, name: text(data?.['name']) ?? '', vip: data?.['vip'] === true }] : [];
  });
}

// ---- snapshot

function deskView(desk: Desk): DeskView {
  return { ...desk, sinceMs: ms(desk.since), untilMs: known(desk.until), onCall: desk.state === 'workingAfterCall' ? '' : (desk.call ?? '') };
}

function queueView(queue: QueueStatus, now: number): QueueView {
  const waits = queue.waiting > 0;
  return { ...queue, waitingSince: waits ? now - queue.longest_wait * 1000 : undefined };
}

function phaseOf(call: CallRecord): Phase {
  if (call.times.hangup || call.result) return call.direction === 'out' && !talkedAt(call) ? 'failed' : 'over';
  if (talkedAt(call)) return 'talking';
  if (call.direction === 'out') return call.times.agent_answer ? 'dialling' : 'ringing';
  const offer = call.offers?.at(-1);
  if (offer && !offer.end) return 'ringing';
  return call.times.queue_in ? 'queued' : 'arriving';
}

function waitOf(call: CallRecord): number | undefined {
  const seconds = (ms(call.times.offer ?? call.times.agent_answer) - ms(call.times.queue_in)) / 1000;
  return Number.isNaN(seconds) ? undefined : Math.max(0, seconds);
}

/** When agent and outside party could hear each other; of an outgoing call that is when the last of them answered. */
function talkedAt(call: CallRecord): number | undefined {
  const agent = known(call.times.agent_answer);
  if (call.direction === 'in') return agent;
  const outside = known(call.times.answer);
  return agent !== undefined && outside !== undefined ? Math.max(agent, outside) : undefined;
}

/** Seconds of talk in a record; undefined where there was none, or it goes on. */
export function talkOf(call: CallRecord): number | undefined {
  const seconds = (ms(call.times.hangup) - (talkedAt(call) ?? NaN)) / 1000;
  return Number.isNaN(seconds) ? undefined : seconds;
}

/** Why an outgoing call came to nothing, as {@link LiveCall.why}. */
export function whyOf(call: CallRecord): string {
  const own = call.hangup_side === 'agent' && !call.times.agent_answer;
  return call.direction === 'out' && !talkedAt(call) && call.cause ? (own ? `own.${call.cause}` : call.cause) : '';
}

/** Whether a record is of a call at an agent's own telephone: one mixed in its recording, or offered without a queue. */
export function isAttended(call: CallRecord): boolean {
  return call.recording?.mixed === true || (call.direction === 'in' && !call.queue?.id && !!call.offers?.length);
}

function known(time: string | null | undefined): number | undefined {
  const at = ms(time);
  return Number.isNaN(at) ? undefined : at;
}

/** Whether a call rings at an agent just now. */
function isOffered(call: CallRecord, agent: string): boolean {
  const offer = agent ? call.offers?.findLast((one) => one.agent === agent) : undefined;
  return !!offer && !offer.end && !call.times.hangup;
}

/** Whose a call is, seen from agent `mine`: one who takes part in it, or whose telephone rings, sees it as the own one. */
function holderOf(call: CallRecord, mine: string): string {
  const offer = call.offers?.at(-1);
  if (mine && (legOf(call, mine) || isOffered(call, mine))) return mine;
  return call.agent?.id || (offer && !offer.end ? offer.agent : '');
}

/** A call's record as the live call it is or was, seen from agent `mine`. */
export function fromRecord(call: CallRecord, mine = ''): LiveCall {
  const data = call.user_data ?? {};
  const offer = call.offers?.at(-1);
  const agent = holderOf(call, mine);
  const talk = fromLegs(call, agent);
  const rings = !!call.legs?.length && !talk.own && isOffered(call, mine);
  const phase = rings ? 'ringing' : phaseOf(call);
  return {
    id: call.id,
    direction: call.direction,
    phase: phase === 'talking' && waits(talk) ? 'held' : phase,
    number: call.direction === 'out' ? call.to : call.from,
    did: call.did ?? '',
    line: call.line ?? '',
    attended: isAttended(call),
    why: whyOf(call),
    queue: call.queue ?? null,
    agent,
    customer: customerOf(data['customer']) ?? customerOf(call.customer) ?? null,
    matches: matchesOf(data['matches']) ?? [],
    talk,
    wait: number(data['wait']) ?? waitOf(call),
    path: texts(data['ivr_path']) ?? call.ivr_path ?? [],
    popUrl: text(data['pop_url']) ?? '',
    began: known(call.times.seize) ?? 0,
    rang: known(call.direction === 'out' ? (call.times.agent_answer ?? call.times.seize) : (offer?.start ?? call.times.offer)),
    talked: talkedAt(call),
    ended: known(call.times.hangup),
  };
}

function byId<T extends { id: string }>(all: readonly T[]): Record<string, T> {
  return Object.fromEntries(all.map((one) => [one.id, one]));
}

function fromSnapshot(feed: Feed, shot: Snapshot): Feed {
  const records = shot.calls ?? [];
  const mine = shot.agent?.id ?? '';
  const calls = byId(records.map((call) => fromRecord(call, mine)));
  // The card of a call that ended stays through wrap-up, also over a reconnect.
  const ended = Object.values(feed.calls).filter((c) => isEnded(c) && !calls[c.id]);
  const me = shot.agent?.id ? deskView(shot.agent) : null;
  return {
    ...feed,
    seq: shot.seq,
    me,
    calls: { ...byId(ended), ...carryOver(calls, feed.calls) },
    queues: byId((shot.queues ?? []).map((q) => queueView(q, ms(shot.time)))),
    stale: allStale(feed.stale),
  };
}

function allStale(stale: Feed['stale']): Feed['stale'] {
  return Object.fromEntries(Object.entries(stale).map(([list, n]) => [list, n + 1])) as Feed['stale'];
}

/** A record names the customer only; what an earlier pop said about the same one is kept. */
function carryOver(calls: Record<string, LiveCall>, before: Feed['calls']): Record<string, LiveCall> {
  const merged = Object.values(calls).map((call) => {
    const old = before[call.id];
    if (!old) return call;
    const customer = old.customer ?? call.customer;
    const attended = call.attended || old.attended;
    const matches = call.matches.length > 0 ? call.matches : old.matches;
    return { ...call, attended, customer, matches, popUrl: call.popUrl || old.popUrl, wait: call.wait ?? old.wait };
  });
  return byId(merged);
}

// ---- events

const states: ReadonlyMap<string, AgentState> = new Map([
  ['agentLoggedOn', 'notReady'],
  ['agentReady', 'ready'],
  ['agentNotReady', 'notReady'],
  ['agentWorkingAfterCall', 'workingAfterCall'],
  ['agentLoggedOff', 'loggedOff'],
]);

const allStates: readonly string[] = ['ready', 'notReady', 'workingAfterCall', 'loggedOff'];

function isState(value: unknown): value is AgentState {
  return typeof value === 'string' && allStates.includes(value);
}

/** A desk after an agent event. What the event's data says outranks what its type implies. */
function moved(desk: DeskView, event: BoxEvent): DeskView {
  const data = event.user_data ?? {};
  const said = states.get(event.type);
  const state = isState(data['state']) ? data['state'] : (said ?? desk.state);
  const changed = state !== desk.state || said !== undefined;
  const next: DeskView = { ...desk, state };
  if (changed) next.sinceMs = known(text(data['since'])) ?? ms(event.time);
  if (changed || 'reason' in data) next.reason = text(data['reason']) ?? '';
  if (changed || 'pending' in data) next.pending = isState(data['pending']) ? data['pending'] : '';
  if (typeof data['phone'] === 'boolean') next.phone = data['phone'];
  if (typeof data['away'] === 'boolean') next.away = data['away'];
  if (data['device'] === 'browser' || data['device'] === 'sip' || data['device'] === '') next.device = data['device'];
  if (changed || 'until' in data) next.untilMs = known(text(data['until']));
  if (event.type === 'agentBusy') next.onCall = event.call_id ?? text(data['call']) ?? desk.onCall;
  else if (said) next.onCall = '';
  if (event.call_id && state === 'workingAfterCall') next.call = event.call_id;
  return next;
}

function onAgent(feed: Feed, event: BoxEvent): Feed {
  const id = event.agent_id ?? '';
  const me = feed.me?.id === id ? moved(feed.me, event) : feed.me;
  const desk = feed.desks[id];
  const desks = desk ? { ...feed.desks, [id]: moved(desk, event) } : feed.desks;
  const stale = desk ? feed.stale : { ...feed.stale, desks: feed.stale.desks + 1 };
  return { ...feed, me, desks, stale, calls: dials(feed.calls, event) };
}

/** Whose own telephone was picked up for an outgoing call is busy; the number is being dialled now. */
function dials(calls: Feed['calls'], event: BoxEvent): Feed['calls'] {
  const call = event.type === 'agentBusy' ? calls[event.call_id ?? ''] : undefined;
  if (call?.direction !== 'out' || (call.phase !== 'ringing' && call.phase !== 'arriving')) return calls;
  const agent = event.agent_id || call.agent;
  return { ...calls, [call.id]: { ...call, agent, phase: 'dialling', rang: ms(event.time) } };
}

function onQueue(feed: Feed, event: BoxEvent): Feed {
  const data = event.user_data ?? {};
  const id = event.queue?.id ?? text(data['id']);
  if (!id) return feed;
  const old = feed.queues[id];
  const queue: QueueStatus = {
    id,
    name: event.queue?.name || text(data['name']) || old?.name || id,
    waiting: number(data['waiting']) ?? old?.waiting ?? 0,
    longest_wait: number(data['longest_wait']) ?? 0,
    ready: number(data['ready']) ?? old?.ready ?? 0,
  };
  return { ...feed, queues: { ...feed.queues, [id]: queueView(queue, ms(event.time)) } };
}

function onLine(feed: Feed, event: BoxEvent): Feed {
  const data = event.user_data ?? {};
  const label = event.line ?? '';
  if (!label || data['trunk'] === true) return feed; // trunks are not among the telephone lines
  const old = feed.lines[label];
  const state = data['state'] === 'inService' || data['state'] === 'outOfService' ? data['state'] : (old?.state ?? 'outOfService');
  const line: LineView = {
    label,
    number: text(data['number']) ?? old?.number ?? '',
    state,
    why: text(data['why']) ?? '',
    busy: data['busy'] === true,
    box: record(data['box']) ?? old?.box ?? null,
    sinceMs: old?.state === state ? old.sinceMs : ms(event.time),
  };
  return { ...feed, lines: { ...feed.lines, [label]: line } };
}

function begin(event: BoxEvent): LiveCall {
  return {
    id: event.call_id ?? '',
    direction: 'in',
    phase: 'arriving',
    number: event.calling ?? {},
    did: '',
    line: '',
    attended: false,
    why: '',
    queue: null,
    agent: '',
    customer: null,
    matches: [],
    talk: noTalk,
    wait: undefined,
    path: [],
    popUrl: '',
    began: ms(event.time),
    rang: undefined,
    talked: undefined,
    ended: undefined,
  };
}

/** A call with whatever more an event tells about it. */
function informed(call: LiveCall, event: BoxEvent): LiveCall {
  const data = event.user_data ?? {};
  const next = { ...call };
  if (data['direction'] === 'out' || data['direction'] === 'in') next.direction = data['direction'];
  const outside = next.direction === 'out' ? event.called : event.calling;
  if (outside && (outside.e164 || outside.raw)) next.number = { ...call.number, ...outside };
  const place = text(data['place']);
  if (place) next.number = { ...next.number, place };
  if (next.direction === 'in') next.did = event.called?.raw || event.called?.e164 || call.did;
  if (event.line) next.line = event.line;
  if (data['attended'] === true) next.attended = true;
  if (event.queue?.id) next.queue = event.queue;
  next.customer = customerOf(data['customer']) ?? call.customer;
  next.matches = matchesOf(data['matches']) ?? call.matches;
  next.wait = number(data['wait']) ?? call.wait;
  next.path = texts(data['ivr_path']) ?? call.path;
  next.popUrl = text(data['pop_url']) ?? call.popUrl;
  return next;
}

/** An outgoing call is its agent's before any telephone rings. */
function comes(call: LiveCall, event: BoxEvent): LiveCall {
  return call.direction === 'out' ? { ...call, agent: event.agent_id || call.agent } : call;
}

/** The pop. Who calls out from an own telephone has lifted it already. */
function rings(call: LiveCall, event: BoxEvent): LiveCall {
  const phase = call.direction === 'out' && call.attended ? 'dialling' : 'ringing';
  return { ...call, phase, agent: event.agent_id || call.agent, talk: begun(call.talk, event), rang: ms(event.time), ended: undefined };
}

function talks(call: LiveCall, event: BoxEvent): LiveCall {
  const agent = event.agent_id || call.agent;
  const talked = call.talked !== undefined && call.agent === agent ? call.talked : ms(event.time);
  return { ...call, phase: 'talking', agent, talk: begun(call.talk, event), talked, ended: undefined };
}

/** What happens among those who talk; undefined where it is the call's own matter. */
function among(feed: Feed, call: LiveCall | undefined, event: BoxEvent): LiveCall | undefined {
  if (call?.phase === 'ringing' && event.type === 'transferred') return { ...call, talk: given(call.talk, event) };
  const running = call && (call.phase === 'talking' || call.phase === 'held');
  const talk = call && (running || recording.includes(event.type)) ? heard(call.talk, event, call.agent) : undefined;
  if (!call || !talk) return undefined;
  const next = { ...call, talk };
  if (running) next.phase = waits(talk) ? 'held' : 'talking';
  return event.type === 'transferred' ? inherited(feed, next, event) : next;
}

/** A supervisor sees a call go from one agent to the other; who gave it away sees it end. */
function inherited(feed: Feed, call: LiveCall, event: BoxEvent): LiveCall {
  const { asked } = call.talk;
  if (!asked?.answered || asked.connection !== event.connection_id || call.agent === feed.me?.id) return call;
  const talk: Talk = { ...call.talk, own: asked.connection, asked: null, standing: 'talking', stood: ms(event.time) };
  return { ...call, phase: 'talking', agent: asked.agent || call.agent, talk };
}

/** One party has left: over if it is the agent who has or was offered the call, nothing otherwise. */
function leaves(call: LiveCall, event: BoxEvent): LiveCall | null {
  if (!event.agent_id || event.agent_id !== call.agent) return call;
  if (call.phase !== 'ringing' || call.direction === 'out') return ends(call, event);
  if (call.attended && event.cause === 'noAnswer') return { ...call, phase: 'missed', ended: ms(event.time) };
  return { ...call, phase: 'queued', agent: '' };
}

/** A call that was talked stays for its wrap-up, one that did not come about to say why; any other is gone. */
function ends(call: LiveCall, event: BoxEvent): LiveCall | null {
  if (isEnded(call)) return call;
  if (call.talked !== undefined) return { ...call, phase: 'over', ended: ms(event.time) };
  return call.direction === 'out' ? fails(call, event) : null;
}

function fails(call: LiveCall, event: BoxEvent): LiveCall {
  const own = call.phase === 'ringing' || call.phase === 'arriving';
  const cause = event.cause || 'error';
  return { ...call, phase: 'failed', why: own ? `own.${cause}` : cause, ended: ms(event.time) };
}

function leftQueue(call: LiveCall, event: BoxEvent): LiveCall {
  const missed = call.phase === 'ringing' && event.agent_id === call.agent && event.cause;
  return missed ? { ...call, phase: 'queued', agent: '' } : call;
}

type Move = (call: LiveCall, event: BoxEvent) => LiveCall | null;

const callMoves: ReadonlyMap<string, Move> = new Map<string, Move>([
  ['offered', comes],
  ['queued', (call) => ({ ...call, phase: 'queued' })],
  ['diverted', leftQueue],
  ['delivered', rings],
  ['established', talks],
  ['callInformation', (call) => call],
  ['connectionCleared', leaves],
  ['callCleared', ends],
  ['failed', leaves],
]);

const recording = ['recordStarted', 'recordPaused', 'recordStopped'];
const changesRecord = ['established', 'callCleared', 'recordStopped'];
const changesLine = ['offered', 'delivered', 'established', 'failed', 'callCleared'];

/** Whether an event tells of a colleague in the call on which the own agent talks: consulted, joined, leaving. */
function isColleagues(feed: Feed, call: LiveCall | undefined, event: BoxEvent): boolean {
  const mine = feed.me?.id;
  if (!mine || !call || call.agent !== mine || !event.agent_id || event.agent_id === mine) return false;
  return (call.phase === 'talking' || call.phase === 'held') && event.type !== 'callCleared';
}

/** Whether a supervisor's own telephone is told of, who takes part in a call that stays its agent's. */
function isSupervisors(event: BoxEvent): boolean {
  return typeof event.user_data?.['mode'] === 'string' && (event.type === 'delivered' || event.type === 'established');
}

function onCall(feed: Feed, event: BoxEvent): Feed {
  const id = event.call_id ?? '';
  let { calls, desks } = feed;
  const before = calls[id];
  if (isSupervisors(event) && before?.agent !== feed.me?.id) return feed;
  const theirs = isColleagues(feed, before, event);
  const told = theirs ? undefined : among(feed, before, event);
  if (told) calls = { ...calls, [id]: told };
  const move = theirs || told ? undefined : callMoves.get(event.type);
  const ending = event.type === 'callCleared' || event.type === 'connectionCleared' || event.type === 'failed';
  if (id && move && (before || !ending)) {
    const { [id]: _, ...others } = calls;
    const after = move(informed(before ?? begin(event), event), event);
    calls = after ? { ...tidied(others, after), [id]: after } : others;
    desks = seated(desks, id, event, after);
  }
  const stale = {
    ...feed.stale,
    calls: feed.stale.calls + (changesRecord.includes(event.type) ? 1 : 0),
    lines: feed.stale.lines + (event.line && changesLine.includes(event.type) ? 1 : 0),
  };
  return { ...feed, calls, desks, stale };
}

/** Ended calls are kept until their agent's next call rings. */
function tidied(calls: Record<string, LiveCall>, next: LiveCall): Record<string, LiveCall> {
  if (next.phase !== 'ringing' && next.phase !== 'dialling' && next.phase !== 'talking') return calls;
  return byId(Object.values(calls).filter((c) => !isEnded(c) || c.agent !== next.agent));
}

/** Who talks is busy in the supervisor's grid at once, whatever order the events come in. */
function seated(desks: Feed['desks'], id: string, event: BoxEvent, call: LiveCall | null): Feed['desks'] {
  const who = event.agent_id ?? '';
  const desk = desks[who];
  if (event.type === 'established' && desk) return { ...desks, [who]: { ...desk, onCall: id } };
  if (call && !isEnded(call)) return desks;
  const freed = Object.values(desks).find((d) => d.onCall === id);
  return freed ? { ...desks, [freed.id]: { ...freed, onCall: '' } } : desks;
}

function onNote(feed: Feed, event: BoxEvent): Feed {
  const data = event.user_data ?? {};
  const words = text(data['text']);
  const stale = { ...feed.stale, chat: feed.stale.chat + 1 };
  const from = text(data['from']) ?? '';
  if (!words || (from && from === feed.who)) return { ...feed, stale };
  return { ...feed, stale, note: { id: event.id ?? String(event.seq), from, name: text(data['name']) || from, text: words } };
}

/** The feed after one event of the journal; one that was seen before changes nothing. */
function onEvent(feed: Feed, event: BoxEvent): Feed {
  if (event.seq <= feed.seq) return feed;
  const next = { ...feed, seq: event.seq };
  if (states.has(event.type) || event.type === 'agentBusy') return onAgent(next, event);
  switch (event.type) {
    case 'queueChanged':
      return onQueue(next, event);
    case 'smsStatus':
    case 'smsLate':
      return { ...next, stale: { ...next.stale, texts: next.stale.texts + 1 } };
    case 'smsReceived':
      return { ...next, stale: { ...next.stale, texts: next.stale.texts + 1, inbox: next.stale.inbox + 1 } };
    case 'smsInbox':
      return { ...next, stale: { ...next.stale, inbox: next.stale.inbox + 1 } };
    case 'lineState':
      return onLine(next, event);
    case 'message':
      return onNote(next, event);
    case 'missedChanged':
      return { ...next, stale: { ...next.stale, missed: next.stale.missed + 1 } };
    default:
      return onCall(next, event);
  }
}

/** The feed after anything the box sent on its own account. */
export function receive(feed: Feed, message: Snapshot | BoxEvent): Feed {
  return message.type === 'snapshot' ? fromSnapshot(feed, message as Snapshot) : onEvent(feed, message as BoxEvent);
}

// ---- what the page itself learns over HTTP

/** The agent's desk after a command's reply, before the event that tells everybody. */
export function replied(feed: Feed, result: unknown): Feed {
  const data = record(result);
  if (!feed.me || !data) return feed;
  const pending = isState(data['pending']) ? data['pending'] : '';
  if (pending || !isState(data['state']) || data['state'] === feed.me.state) {
    return { ...feed, me: { ...feed.me, pending } };
  }
  return feed;
}

/** All desks, as GET /api/v1/agents lists them. */
export function withDesks(feed: Feed, desks: readonly Desk[]): Feed {
  const views = desks.filter((d) => isState(d.state)).map(deskView);
  const busy = new Map(Object.values(feed.calls).flatMap((c) => (c.phase === 'talking' || c.phase === 'dialling' ? [[c.agent, c.id]] : [])));
  return { ...feed, desks: byId(views.map((d) => ({ ...d, onCall: busy.get(d.id) ?? d.onCall }))) };
}

/** All telephone lines, as GET /api/v1/lines lists them. */
export function withLines(feed: Feed, lines: readonly PhoneLine[]): Feed {
  const views = lines.map((line): [string, LineView] => [line.label, { ...line, sinceMs: ms(line.since) }]);
  return { ...feed, lines: Object.fromEntries(views) };
}

/** A call that the agent has ordered, until the box tells of it: the agent's telephone will ring. */
export function withOrder(feed: Feed, id: string, to: string, now: number): Feed {
  if (feed.calls[id] || !feed.me) return feed;
  const event: BoxEvent = { seq: 0, time: '', type: '', call_id: id };
  const call: LiveCall = { ...begin(event), direction: 'out', phase: 'ringing', number: { raw: to }, agent: feed.me.id, began: now, rang: now };
  return { ...feed, calls: { ...tidied(feed.calls, call), [id]: call } };
}

/** The agent asks somebody, whose leg the box has just named, in the words of `who`. */
export function withAsked(feed: Feed, id: string, connection: string, who: { agent: string; label: string }, now: number): Feed {
  const call = feed.calls[id];
  if (!call || (call.phase !== 'talking' && call.phase !== 'held')) return feed;
  return { ...feed, calls: { ...feed.calls, [id]: { ...call, phase: 'held', talk: asks(call.talk, connection, who, now) } } };
}

/** A talk with what its record knows beside the events: the legs, and whether it is recorded. */
export function withRecord(feed: Feed, record: CallRecord): Feed {
  const call = feed.calls[record.id];
  if (!call || (call.phase !== 'talking' && call.phase !== 'held')) return feed;
  const known = fromLegs(record, call.agent);
  const talk: Talk = { ...call.talk, own: call.talk.own || known.own, outside: known.outside || call.talk.outside };
  if (talk.recording === 'unknown') Object.assign(talk, { recording: known.recording, paused: known.paused });
  return { ...feed, calls: { ...feed.calls, [record.id]: { ...call, talk } } };
}

/** A call that the snapshot did not hold: the one whose wrap-up this is. */
export function withCall(feed: Feed, call: LiveCall): Feed {
  return feed.calls[call.id] ? feed : { ...feed, calls: { ...feed.calls, [call.id]: call } };
}

/** A ringing call after a look at its record: gone if the record says that it rings here no more. */
export function checked(feed: Feed, call: CallRecord): Feed {
  const live = feed.calls[call.id];
  if (live?.phase !== 'ringing') return feed;
  const offer = call.offers?.findLast((one) => one.agent === live.agent);
  const missed = !!offer?.end && offer.outcome !== 'answered';
  if (live.attended && offer?.outcome === 'noAnswer') {
    return { ...feed, calls: { ...feed.calls, [call.id]: { ...live, phase: 'missed', ended: known(offer.end) } } };
  }
  if (live.direction === 'out' && call.result === 'failed') {
    return { ...feed, calls: { ...feed.calls, [call.id]: { ...fromRecord(call), customer: live.customer } } };
  }
  return missed || call.result ? dismissed(feed, call.id) : feed;
}

/** A ringing call that the box does not show this agent any more. */
export function lost(feed: Feed, id: string): Feed {
  return feed.calls[id]?.phase === 'ringing' ? dismissed(feed, id) : feed;
}

/** The whole customer of a call that so far only named one. */
export function withCustomer(feed: Feed, id: string, customer: Customer): Feed {
  const call = feed.calls[id];
  return call ? { ...feed, calls: { ...feed.calls, [id]: { ...call, customer } } } : feed;
}

/** The agent has put the card of an ended call away. */
export function dismissed(feed: Feed, id: string): Feed {
  const { [id]: _, ...calls } = feed.calls;
  return { ...feed, calls };
}

// ---- questions

/** Whether all that is left of a call is its card. */
export function isEnded(call: LiveCall): boolean {
  return call.phase === 'over' || call.phase === 'failed' || call.phase === 'missed';
}

/** How long it is said why an outgoing call failed, in milliseconds. */
export const toldFor = 12_000;

/**
 * The call on the agent's screen: the one being talked, else dialled, else
 * ringing; else one in wrap-up, one that failed a moment ago (now is the box's
 * time), or the last that was missed.
 */
export function current(feed: Feed, now = 0): LiveCall | undefined {
  const me = feed.me;
  if (!me) return undefined;
  const mine = Object.values(feed.calls).filter((c) => c.agent === me.id);
  const over = (c: LiveCall) =>
    c.phase === 'missed' ||
    (c.phase === 'failed' && now - (c.ended ?? 0) < toldFor) ||
    (c.phase === 'over' && (me.state === 'workingAfterCall' || !(me.sinceMs > (c.ended ?? 0))));
  return (
    mine.find((c) => c.phase === 'talking' || c.phase === 'held') ??
    mine.find((c) => c.phase === 'dialling') ??
    mine.find((c) => c.phase === 'ringing') ??
    mine.find(over)
  );
}

/** Whether somebody calls this agent: from outside, or a colleague who hands the call on. */
export function isIncoming(call: LiveCall): boolean {
  return call.direction === 'in' || call.talk.errand !== '';
}

/** Whether all that is known of a customer is a name. */
export function isStub(customer: Customer | null): customer is Customer {
  return !!customer?.id && !customer.devices && !customer.open_tickets && !customer.history;
}
