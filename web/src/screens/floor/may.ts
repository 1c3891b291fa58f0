// What a supervisor can do with an agent and with his call, and why not where
// he cannot: a control that does nothing is shown with its reason. Pure.

import type { AgentState, CallRecord, Role } from '../../lib/contract.ts';
import type { LiveCall } from '../../lib/feed.ts';
import type { Key } from '../../lib/i18n/translate.ts';
import { ms } from '../../lib/time.ts';

export const modes = ['listen', 'whisper', 'barge', 'takeover'] as const;
export type Mode = (typeof modes)[number];

/** States that can be set for another; not ready goes with a reason. */
export const settable = ['ready', 'workingAfterCall', 'loggedOff'] as const;

export interface Means {
  role: Role | undefined;
  user: string;
  /** The line to the box is open. */
  line: boolean;
  /** The supervisor's own telephone would ring. */
  phone: boolean;
  /** The call on which the supervisor is; '' for none. */
  own: string;
  /** The call that he supervises; '' for none. */
  supervised: string;
}

type Why = Key | '';

function refused(means: Means): Why {
  if (means.role !== 'supervisor' && means.role !== 'admin') return 'sup.why.role';
  return means.line ? '' : 'why.offline';
}

/** Why a supervisor cannot take part in a call; '' where he can. */
export function whyNotSupervise(call: LiveCall | undefined, means: Means): Why {
  const why = refused(means);
  if (why) return why;
  if (!call) return 'sup.why.noCall';
  if (call.attended) return 'sup.why.attended';
  if (call.phase !== 'talking' && call.phase !== 'held') return 'sup.why.notTalking';
  if (means.supervised === call.id) return '';
  if (means.supervised) return 'sup.why.another';
  if (call.agent === means.user || means.own === call.id) return 'sup.why.own';
  if (means.own) return 'sup.why.inCall';
  return means.phone ? '' : 'sup.why.noPhone';
}

/** Why an agent's state cannot be set; '' where it can. */
export function whyNotSet(now: AgentState, pending: string | null | undefined, wish: AgentState, onCall: boolean, means: Means): Why {
  const why = refused(means);
  if (why) return why;
  if (now === 'loggedOff') return 'sup.why.loggedOff';
  // Wrap-up again is more time for it, not ready again another reason.
  const again = wish === 'workingAfterCall' || wish === 'notReady';
  return !again && wish === now && !pending && !onCall ? 'sup.why.same' : '';
}

/** Where a supervisor's part in a call stands: rings until the telephone is lifted, gone when it is over. */
export type Part = 'rings' | 'gone' | Mode;

/** What a call's record says of the part of `user`. */
export function partIn(record: CallRecord, user: string): Part {
  if (record.result || record.times.hangup) return 'gone';
  const leg = record.legs?.findLast((one) => one.agent === user);
  if (!leg) return 'rings';
  if (ms(leg.end)) return 'gone';
  if (leg.kind !== 'supervisor') return 'takeover';
  return modes.find((one) => one === leg.mode) ?? 'rings';
}
