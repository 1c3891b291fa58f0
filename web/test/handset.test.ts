import { describe, expect, it } from 'vitest';
import { whyNot, type Control } from '../src/lib/controls.ts';
import { complains, openTickets } from '../src/lib/customers.ts';
import { fromRecord, type LiveCall } from '../src/lib/feed.ts';
import { actionOf, hotkeys, keyOf } from '../src/lib/hotkeys.ts';
import type { Person } from '../src/lib/people.ts';
import * as recipients from '../src/lib/recipients.ts';
import { isLate, nameOf } from '../src/lib/reasons.ts';
import { noTalk, type Talk } from '../src/lib/talk.ts';

const bare = fromRecord({ id: 'c', direction: 'in', result: null, from: {}, to: {}, times: {} });
const call = (more: Partial<LiveCall>, talk: Partial<Talk> = {}): LiveCall => ({ ...bare, phase: 'talking', ...more, talk: { ...noTalk, recording: 'on', ...talk } });
const here = { line: true, here: true };

describe('controls', () => {
  it.each<[string, LiveCall, Control[]]>([
    ['ringing', call({ phase: 'ringing' }), ['answer', 'hangUp']],
    ['ringing for an outgoing call', call({ phase: 'ringing', direction: 'out' }), ['hangUp']],
    ['dialling', call({ phase: 'dialling', direction: 'out' }), ['hangUp', 'mute']],
    ['talking', call({}), ['hangUp', 'hold', 'mute', 'keypad', 'transfer', 'record']],
    ['holding', call({ phase: 'held' }, { standing: 'holding' }), ['hangUp', 'hold', 'mute', 'keypad', 'transfer', 'record']],
    ['asking', call({ phase: 'held' }, { standing: 'asking' }), ['hangUp', 'mute', 'keypad', 'record', 'complete', 'cancel']],
    ['consulting', call({ phase: 'held' }, { standing: 'consulting' }), ['hangUp', 'mute', 'keypad', 'record', 'alternate', 'conference', 'complete', 'cancel']],
    ['asked by a colleague', call({}, { standing: 'asked' }), ['hangUp', 'mute']],
    ['talking without a recording', call({}, { recording: 'off' }), ['hangUp', 'hold', 'mute', 'keypad', 'transfer']],
    ['talking at the own telephone', call({ attended: true }), []],
  ])('%s', (_, now, usable) => {
    const all: Control[] = ['answer', 'hangUp', 'hold', 'mute', 'keypad', 'transfer', 'record', 'alternate', 'conference', 'complete', 'cancel'];
    expect(all.filter((one) => whyNot(one, now, here) === '')).toEqual(usable);
  });

  it('say why they cannot be used', () => {
    expect(whyNot('mute', call({}), { ...here, here: false })).toBe('why.deskMute');
    expect(whyNot('hold', call({}), { ...here, line: false })).toBe('why.offline');
    expect(whyNot('mute', call({}), { ...here, line: false }), 'a microphone needs no box').toBe('');
    expect(whyNot('transfer', call({}, { standing: 'consulting' }), here)).toBe('why.consulting');
  });
});

describe('keys', () => {
  const press = (code: string, more: object = {}) => ({ altKey: false, ctrlKey: false, metaKey: false, repeat: false, key: '', code, ...more });

  it('need Alt, whatever letter the keyboard makes of it', () => {
    expect(actionOf(press('KeyA', { altKey: true, key: 'å' }), true)).toBe('answer');
    expect(actionOf(press('KeyA', { key: 'a' }), false)).toBeUndefined();
    expect(actionOf(press('KeyA', { altKey: true, ctrlKey: true }), false)).toBeUndefined();
    expect(actionOf(press('KeyM', { altKey: true, repeat: true }), false), 'held down it must not flap').toBeUndefined();
    expect(actionOf(press('Slash', { key: '?' }), false)).toBe('list');
    expect(actionOf(press('Slash', { key: '?' }), true)).toBeUndefined();
  });

  it('are each for one thing', () => {
    expect(new Set(hotkeys.map((one) => one.letter)).size).toBe(hotkeys.length);
    expect(keyOf('mute')).toBe('Alt+M');
    expect(keyOf('list')).toBe('?');
  });
});

describe('who gets a call', () => {
  const person = (id: string, more: Partial<Person> = {}): Person => ({ id, name: id, role: 'agent', state: 'ready', device: 'sip', ...more });

  it('is found by name, number or what is typed', () => {
    expect(recipients.matches('', ['x'])).toBe(true);
    expect(recipients.matches('李', ['1002', '李强'])).toBe(true);
    expect(recipients.matches('9', ['1002', undefined])).toBe(false);
    expect(recipients.numberIn(' 138 0013-8000 ')).toBe('13800138000');
    expect(recipients.numberIn('+86 571 8888 0001')).toBe('+8657188880001');
    for (const typed of ['', '12', '李强', '13800138000x', '*21#']) expect(recipients.numberIn(typed)).toBe('');
  });

  it('is who can pick up first, longest free first', () => {
    const all = [
      person('busy', { on_call: true }), person('off', { state: 'loggedOff' }), person('none', { device: '' }),
      person('late', { since: '2026-03-09T10:00:00Z' }), person('early', { since: '2026-03-09T09:00:00Z' }), person('lunch', { state: 'notReady' }),
    ];
    expect(recipients.sorted(all).map((one) => one.id).slice(0, 3)).toEqual(['early', 'late', 'lunch']);
    expect(all.map(recipients.whyNot)).toEqual(['transfer.inCall', 'state.loggedOff', 'transfer.noPhone', '', '', '']);
  });
});

describe('reasons', () => {
  const reasons = [{ code: 'lunch', name: '午餐', limit: 1800 }, { code: 'break', name: '茶歇' }];

  it('are called as the site calls them', () => {
    expect(nameOf(reasons, 'break')).toBe('茶歇');
    expect(nameOf(reasons, 'lunch'), 'the dictionary has it in each language').toBe('');
    expect(nameOf(reasons, 'other')).toBe('');
  });

  it('have limits', () => {
    expect(isLate(reasons, 'lunch', 1800)).toBe(false);
    expect(isLate(reasons, 'lunch', 1801)).toBe(true);
    expect(isLate(reasons, 'break', 99_999)).toBe(false);
  });
});

describe('a customer', () => {
  it('complains by a mark or by an open ticket', () => {
    expect(complains(null)).toBe(false);
    expect(complains({ name: '李雷', open_tickets: [{ kind: '维修' }] })).toBe(false);
    expect(complains({ complaint: true })).toBe(true);
    expect(complains({ open_tickets: [{ kind: '抱怨' }] })).toBe(true);
    expect(complains({ open_tickets: [null as never, { type: 'Complaint' }] })).toBe(true);
  });

  it('has so many tickets open, or nobody knows', () => {
    expect(openTickets({ open_tickets: [{}, {}] })).toBe(2);
    expect(openTickets({ name: 'x' })).toBeUndefined();
  });
});
