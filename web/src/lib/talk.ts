// Who is in a call that is being talked, and where the agent's own part in it
// stands: the box's table of standings as its events tell of it. Pure.

import type { BoxEvent, CallRecord, LegRecord } from './contract.ts';
import { ms } from './time.ts';

/**
 * Where the agent's part stands. talking and alternated are with the outside
 * party (alternated: who was asked waits); holding, asking and consulting let
 * it wait; asked and parked are of an agent whom a colleague consults, parked
 * while that one is with the outside party again.
 */
export type Standing = 'talking' | 'holding' | 'asking' | 'consulting' | 'alternated' | 'asked' | 'parked';

/** One more in the call than the outside party and the agent. */
export interface Party {
  /** The leg; '' while it is not known. */
  connection: string;
  /** An agent's id; '' for a number, or while it is not known. */
  agent: string;
  /** Who was asked for, in the words it was asked with; '' where the box said it. */
  label: string;
  answered: boolean;
  since: number;
}

export type Errand = '' | 'consult' | 'transfer' | 'recall';

export interface Talk {
  /** The agent's own leg, and the outside party's; '' while not known. */
  own: string;
  outside: string;
  standing: Standing;
  /** Since when it stands there, in the box's time. */
  stood: number | undefined;
  asked: Party | null;
  others: readonly Party[];
  /** Why a colleague had this agent's telephone rung, and who; '' for a call that came by itself. */
  errand: Errand;
  by: string;
  /** Why who was asked did not come, a cause of the box; '' for nothing. */
  unasked: string;
  recording: 'unknown' | 'on' | 'paused' | 'off';
  paused: number | undefined;
  /** The legs of which nothing has been heard for a while. */
  unheard: readonly string[];
}

export const noTalk: Talk = {
  own: '',
  outside: '',
  standing: 'talking',
  stood: undefined,
  asked: null,
  others: [],
  errand: '',
  by: '',
  unasked: '',
  recording: 'unknown',
  paused: undefined,
  unheard: [],
};

const aside: readonly Standing[] = ['holding', 'asking', 'consulting'];

/** Whether the outside party waits for this agent. */
export function waits(talk: Talk): boolean {
  return aside.includes(talk.standing);
}

type Command = 'hold' | 'retrieve' | 'consult' | 'send' | 'alternate' | 'conference' | 'transfer' | 'reconnect';

const allowed: Record<Standing, readonly Command[]> = {
  talking: ['hold', 'consult', 'send'],
  holding: ['retrieve', 'consult', 'send'],
  asking: ['transfer', 'reconnect'],
  consulting: ['alternate', 'conference', 'transfer', 'reconnect'],
  alternated: ['alternate', 'conference', 'transfer', 'reconnect'],
  asked: [],
  parked: [],
};

/** Whether the box would take a command now. */
export function may(talk: Talk, command: Command): boolean {
  return allowed[talk.standing].includes(command);
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function party(event: BoxEvent, more: Partial<Party> = {}): Party {
  return { connection: event.connection_id ?? '', agent: '', label: '', answered: true, since: ms(event.time), ...more };
}

function stands(talk: Talk, standing: Standing, event: BoxEvent): Talk {
  return { ...talk, standing, stood: standing === talk.standing ? talk.stood : ms(event.time) };
}

function isAsked(talk: Talk, event: BoxEvent): boolean {
  const known = talk.asked?.connection;
  return known !== undefined && (known === event.connection_id || (known === '' && event.connection_id !== talk.outside));
}

// What the agent's own part is told by `undefined`: it is the call's matter.
type Move = (talk: Talk, event: BoxEvent, agent: string) => Talk | undefined;

function held(talk: Talk, event: BoxEvent): Talk {
  if (isAsked(talk, event)) return stands(talk, 'alternated', event);
  if (event.connection_id && event.connection_id === talk.own) return stands(talk, 'parked', event);
  const standing = talk.asked ? (talk.asked.answered ? 'consulting' : 'asking') : 'holding';
  return { ...stands(talk, standing, event), outside: event.connection_id ?? talk.outside };
}

function retrieved(talk: Talk, event: BoxEvent): Talk {
  if (isAsked(talk, event)) return stands(talk, 'consulting', event);
  if (event.connection_id && event.connection_id === talk.own) return stands(talk, 'asked', event);
  return { ...stands(talk, talk.asked ? 'alternated' : 'talking', event), unasked: '' };
}

/** Somebody picked up: who was asked, or one more. */
function joined(talk: Talk, event: BoxEvent, agent: string): Talk | undefined {
  const id = event.connection_id;
  if (!id || !talk.own || id === talk.own) return undefined;
  const who = event.agent_id && event.agent_id !== agent ? event.agent_id : '';
  if (talk.asked && isAsked(talk, event)) {
    const asked = { ...talk.asked, connection: id, agent: talk.asked.agent || who, answered: true, since: ms(event.time) };
    return { ...stands(talk, talk.standing === 'asking' ? 'consulting' : talk.standing, event), asked, unasked: '' };
  }
  if (talk.others.some((one) => one.connection === id)) return talk;
  // Asked for by other means than this page: who is new while the caller waits is consulted.
  if (talk.standing === 'holding') return { ...stands(talk, 'consulting', event), asked: party(event, { agent: who }) };
  return { ...talk, others: [...talk.others, party(event, { agent: who })] };
}

/** A colleague's telephone rings for a consultation; the colleague's screen and supervisors hear of it. */
function rung(talk: Talk, event: BoxEvent, agent: string): Talk | undefined {
  if (!talk.own || event.connection_id === talk.own || event.user_data?.['consulted_by'] !== agent) return undefined;
  const asked = party(event, { agent: event.agent_id ?? '', answered: false });
  return { ...stands(talk, 'asking', event), asked };
}

function left(talk: Talk, event: BoxEvent): Talk | undefined {
  const id = event.connection_id;
  if (!id || !talk.own || id === talk.own) return undefined;
  if (talk.asked && isAsked(talk, event)) {
    const standing = waits(talk) ? 'holding' : 'talking';
    const unasked = talk.asked.answered || event.cause === 'canceled' ? '' : (event.cause ?? '');
    return { ...stands(talk, standing, event), asked: null, unasked: unasked === 'normal' ? '' : unasked };
  }
  return { ...talk, others: talk.others.filter((one) => one.connection !== id) };
}

/** Only who was asked can fail to come while there is talk. */
function failed(talk: Talk, event: BoxEvent): Talk {
  return { ...talk, unasked: event.cause || 'error' };
}

function conferenced(talk: Talk, event: BoxEvent): Talk {
  const data = event.user_data ?? {};
  if (event.connection_id === talk.own) {
    const host = party(event, { connection: '', agent: text(data['by']) });
    const known = talk.others.some((one) => one.agent === host.agent);
    return { ...stands(talk, 'talking', event), errand: '', by: '', others: known ? talk.others : [...talk.others, host] };
  }
  if (talk.asked && isAsked(talk, event)) {
    return { ...stands(talk, 'talking', event), asked: null, others: [...talk.others, { ...talk.asked, answered: true }] };
  }
  if (talk.others.some((one) => one.connection === event.connection_id)) return talk;
  const agent = data['mode'] ? text(data['by']) : ''; // a supervisor who barges in names himself
  return { ...talk, others: [...talk.others, party(event, { agent })] };
}

/** The call went to the agent who was asked. */
function transferred(talk: Talk, event: BoxEvent): Talk {
  if (event.connection_id !== talk.own) return talk;
  return { ...stands(talk, 'talking', event), errand: '', by: '' };
}

function records(recording: Talk['recording']): Move {
  return (talk, event) => ({ ...talk, recording, paused: recording === 'paused' ? ms(event.time) : undefined });
}

function unheard(talk: Talk, event: BoxEvent): Talk {
  const id = event.connection_id ?? '';
  const rest = talk.unheard.filter((one) => one !== id);
  return { ...talk, unheard: event.user_data?.['over'] === true ? rest : [...rest, id] };
}

const moves: ReadonlyMap<string, Move> = new Map<string, Move>([
  ['held', held],
  ['retrieved', retrieved],
  ['established', joined],
  ['delivered', rung],
  ['connectionCleared', left],
  ['failed', failed],
  ['conferenced', conferenced],
  ['transferred', transferred],
  ['recordStarted', records('on')],
  ['recordPaused', records('paused')],
  ['recordStopped', records('off')],
  ['noAudio', unheard],
]);

/** The talk of `agent` after an event; undefined where the event is about the call itself or the agent's own part in it. */
export function heard(talk: Talk, event: BoxEvent, agent: string): Talk | undefined {
  return moves.get(event.type)?.(talk, event, agent);
}

/** Why a telephone rings, by the data of the pop. */
function errandOf(data: Record<string, unknown>): Pick<Talk, 'errand' | 'by'> {
  const [consulted, transferred] = [text(data['consulted_by']), text(data['transferred_by'])];
  if (consulted) return { errand: 'consult', by: consulted };
  if (transferred) return { errand: 'transfer', by: transferred };
  return { errand: data['recalled'] === true ? 'recall' : '', by: '' };
}

/** The talk at the first word of the agent's own part: the pop, or the answer. */
export function begun(talk: Talk, event: BoxEvent): Talk {
  const why = event.type === 'delivered' ? errandOf(event.user_data ?? {}) : { errand: talk.errand, by: talk.by };
  const standing = why.errand === 'consult' ? 'asked' : 'talking';
  return { ...talk, ...why, own: event.connection_id || talk.own, standing, stood: ms(event.time), asked: null, others: [], unasked: '' };
}

/** The call goes to the agent whose telephone still rings for a consultation. */
export function given(talk: Talk, event: BoxEvent): Talk {
  return event.connection_id === talk.own ? { ...talk, errand: 'transfer', standing: 'talking' } : talk;
}

/** The agent has asked somebody, whose leg the box has just named. */
export function asks(talk: Talk, connection: string, who: { agent: string; label: string }, now: number): Talk {
  if (talk.asked?.answered) return talk;
  return { ...talk, asked: { connection, ...who, answered: false, since: now }, standing: 'asking', stood: now, unasked: '' };
}

// ---- from the record

function isOpen(leg: LegRecord): boolean {
  return !ms(leg.end);
}

function ofLeg(leg: LegRecord): Party {
  const address = (leg.device ?? '').split(/[:/]/).at(-1) ?? '';
  return { connection: leg.id, agent: leg.agent ?? '', label: leg.agent ? '' : address, answered: true, since: ms(leg.start) };
}

function recordingOf(call: CallRecord): Pick<Talk, 'recording' | 'paused'> {
  const pause = call.recording?.pauses?.at(-1);
  if (call.recording?.state !== 'recording') return { recording: call.recording ? 'off' : 'unknown', paused: undefined };
  const paused = pause && !ms(pause.end);
  return { recording: paused ? 'paused' : 'on', paused: paused ? ms(pause.start) : undefined };
}

/** The leg that an agent has in a call; undefined for none that is open. */
export function legOf(call: CallRecord, agent: string): LegRecord | undefined {
  return agent ? call.legs?.findLast((leg) => leg.agent === agent && isOpen(leg)) : undefined;
}

/** What an agent's last offer that he took or is made says: why his telephone was rung, and by whom. */
function offeredFor(call: CallRecord, agent: string): Pick<Talk, 'errand' | 'by'> {
  const offer = call.offers?.findLast((one) => one.agent === agent && (!one.end || one.outcome === 'answered'));
  const [, errand, by] = /^(consult|transfer|recall) by (.+)$/.exec(offer?.why ?? '') ?? [];
  return { errand: (errand ?? '') as Errand, by: by ?? '' };
}

/** Why the agent's telephone rings or rang: who was consulted may have the call by now. */
function errandIn(call: CallRecord, agent: string, own: LegRecord | undefined): Pick<Talk, 'errand' | 'by'> {
  const { errand, by } = offeredFor(call, agent);
  if (errand !== 'consult') return { errand, by };
  if (own) return own.standing === 'asked' ? { errand, by } : { errand: '', by: '' };
  return { errand: legOf(call, by) ? 'consult' : 'transfer', by };
}

const asking = ['asking', 'consulting', 'alternated'];
const standings: readonly string[] = ['talking', 'holding', ...asking, 'asked'];

function isStanding(word: string | undefined): word is Standing {
  return standings.includes(word ?? '');
}

/** Where the agent's part stands; who is asked is parked while the colleague, whose leg is `by`, is with the outside party. */
function standsIn(own: LegRecord, by: LegRecord | undefined): Pick<Talk, 'standing' | 'stood'> {
  const parked = own.standing === 'asked' && by?.standing === 'alternated';
  const since = ms((parked ? by : own).standing_since);
  const standing = parked ? 'parked' : isStanding(own.standing) ? own.standing : 'talking';
  return { standing, stood: Number.isNaN(since) ? undefined : since };
}

/** Whom the agent has asked: a telephone that still rings has an offer and no leg yet. */
function askedIn(call: CallRecord, agent: string, own: LegRecord | undefined): Party | null {
  if (!own || !asking.includes(own.standing ?? '')) return null;
  const isMine = (who: string) => offeredFor(call, who).by === agent;
  if (own.standing === 'asking') {
    const offer = call.offers?.findLast((one) => !one.end && isMine(one.agent));
    return { connection: '', agent: offer?.agent ?? '', label: '', answered: false, since: ms(offer?.start ?? own.standing_since) };
  }
  const legs = call.legs?.filter((leg) => leg.standing === 'asked') ?? [];
  const leg = legs.find((one) => one.agent && isMine(one.agent)) ?? legs.find((one) => !one.agent) ?? legs[0];
  return leg ? ofLeg(leg) : null;
}

/** Whether a leg is of one more who talks: neither asked aside nor listening unheard. */
function isAmong(leg: LegRecord): boolean {
  return leg.kind !== 'outside' && leg.standing !== 'asked' && (leg.standing !== 'listening' || leg.mode === 'barge');
}

/** The talk as a running call's record tells of it. */
export function fromLegs(call: CallRecord, agent: string): Talk {
  const own = legOf(call, agent);
  const why = errandIn(call, agent, own);
  const stands = own ? standsIn(own, legOf(call, why.by)) : { standing: why.errand === 'consult' ? ('asked' as const) : ('talking' as const) };
  const apart = stands.standing === 'asked' || stands.standing === 'parked'; // is told of the colleague alone
  const others = (call.legs ?? []).filter((leg) => leg !== own && isOpen(leg) && isAmong(leg));
  return {
    ...noTalk,
    ...recordingOf(call),
    ...stands,
    ...why,
    own: own?.id ?? '',
    outside: call.legs?.find((leg) => leg.kind === 'outside')?.id ?? '',
    asked: askedIn(call, agent, own),
    others: apart ? [] : others.map(ofLeg),
  };
}
