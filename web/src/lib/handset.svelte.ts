// What the agent does with the call on the screen: the same by a click and by a
// key. And which of its panels stands open.

import { box } from './box.svelte.ts';
import { whyNot, type Control, type Why } from './controls.ts';
import type { LiveCall } from './feed.ts';
import { phone } from './phone/phone.svelte.ts';
import { may } from './talk.ts';

export type Panel = 'keypad' | 'transfer' | 'phone' | 'keys';

class Handset {
  panel = $state<Panel | ''>('');
  /** Controls whose command is on its way: the same one again must wait, another need not. */
  busy = $state.raw<readonly Control[]>([]);

  /** The call is on the telephone in this page. */
  get here(): boolean {
    return phone.usable && box.feed.me?.device !== 'sip';
  }

  /** Why a control cannot be used; '' where it can. */
  whyNot(control: Control, call: LiveCall): Why {
    return whyNot(control, call, { line: box.line === 'open', here: this.here });
  }

  toggle(panel: Panel): void {
    this.panel = this.panel === panel ? '' : panel;
  }

  close(): void {
    this.panel = '';
  }

  /** Does what a control is for, if it can be used now. */
  async act(control: Control, call: LiveCall | undefined = box.call): Promise<void> {
    if (!call || this.whyNot(control, call)) return;
    if (control === 'mute') return phone.mute(!phone.muted);
    if (control === 'keypad' || control === 'transfer') return this.toggle(control);
    if (this.busy.includes(control)) return;
    this.busy = [...this.busy, control];
    await orders[control](call);
    this.busy = this.busy.filter((one) => one !== control);
  }
}

const orders: Record<Exclude<Control, 'mute' | 'keypad' | 'transfer'>, (call: LiveCall) => Promise<unknown>> = {
  answer: (call) => box.control('answerCall', call.id),
  hangUp: (call) => box.hangUp(call.id),
  hold: (call) => box.control(may(call.talk, 'retrieve') ? 'retrieveCall' : 'holdCall', call.id),
  record: (call) => box.control(call.talk.recording === 'paused' ? 'resumeRecording' : 'pauseRecording', call.id),
  alternate: (call) => box.control('alternateCall', call.id),
  conference: (call) => box.control('conferenceCall', call.id),
  complete: (call) => box.control('transferCall', call.id),
  cancel: (call) => box.control('reconnectCall', call.id),
};

export const handset = new Handset();
