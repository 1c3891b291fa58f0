// What can be done with a call now, and why not where it cannot: a control that
// does nothing is shown with its reason. Pure; the bar, the card and the keys
// ask here.

import { isIncoming, type LiveCall } from './feed.ts';
import type { Key } from './i18n/translate.ts';
import { may } from './talk.ts';

export type Control = 'answer' | 'hangUp' | 'hold' | 'mute' | 'keypad' | 'transfer' | 'record' | 'alternate' | 'conference' | 'complete' | 'cancel';

/** What the page can do itself. */
export interface Means {
  /** The line to the box is open. */
  line: boolean;
  /** The call is on the telephone in this page. */
  here: boolean;
}

/** Why a control cannot be used; '' where it can. */
export type Why = Key | '';

type Rule = (call: LiveCall, means: Means) => Why;

const talks = (call: LiveCall) => call.phase === 'talking' || call.phase === 'held';
const consulted = (call: LiveCall) => call.talk.standing === 'asked' || call.talk.standing === 'parked';

/** While a colleague consults this agent, the call is the colleague's to steer. */
function own(call: LiveCall): Why {
  if (!talks(call)) return 'why.notTalking';
  return consulted(call) ? 'why.asked' : '';
}

const rules: Record<Control, Rule> = {
  answer: (call) => (call.phase === 'ringing' && isIncoming(call) ? '' : 'why.notRinging'),
  hangUp: () => '',
  hold: (call) => own(call) || (may(call.talk, 'hold') || may(call.talk, 'retrieve') ? '' : 'why.consulting'),
  mute: (call, { here }) => (here ? (talks(call) || call.phase === 'dialling' ? '' : 'why.notTalking') : 'why.deskMute'),
  keypad: own,
  transfer: (call) => own(call) || (may(call.talk, 'consult') ? '' : 'why.consulting'),
  record: (call) => own(call) || (call.talk.recording === 'on' || call.talk.recording === 'paused' ? '' : 'why.notRecorded'),
  alternate: (call) => own(call) || (may(call.talk, 'alternate') ? '' : 'why.notAnswered'),
  conference: (call) => own(call) || (may(call.talk, 'conference') ? '' : 'why.notAnswered'),
  complete: (call) => own(call) || (may(call.talk, 'transfer') ? '' : 'why.nobodyAsked'),
  cancel: (call) => own(call) || (may(call.talk, 'reconnect') ? '' : 'why.nobodyAsked'),
};

/** Why a control cannot be used now; '' where it can. */
export function whyNot(control: Control, call: LiveCall, means: Means): Why {
  if (call.attended) return 'call.onOwnSet';
  const why = rules[control](call, means);
  return why || means.line || control === 'mute' ? why : 'why.offline';
}
