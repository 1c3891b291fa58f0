// The keys of the page. Each is a letter with Alt, so that typing is never
// taken for a command; the list of them is under the question mark.

import type { Key } from './i18n/translate.ts';

export type Action = 'answer' | 'hangUp' | 'hold' | 'mute' | 'keypad' | 'transfer' | 'ready' | 'notReady' | 'workingAfterCall' | 'dial' | 'list';

interface Hotkey {
  letter: string;
  action: Action;
  words: Key;
}

export const hotkeys: readonly Hotkey[] = [
  { letter: 'A', action: 'answer', words: 'call.answer' },
  { letter: 'X', action: 'hangUp', words: 'call.hangUp' },
  { letter: 'H', action: 'hold', words: 'call.holdOrBack' },
  { letter: 'M', action: 'mute', words: 'call.muteOrNot' },
  { letter: 'K', action: 'keypad', words: 'call.keypad' },
  { letter: 'T', action: 'transfer', words: 'call.transfer' },
  { letter: 'R', action: 'ready', words: 'action.ready' },
  { letter: 'N', action: 'notReady', words: 'action.notReady' },
  { letter: 'W', action: 'workingAfterCall', words: 'action.workingAfterCall' },
  { letter: 'C', action: 'dial', words: 'dial.title' },
];

type Pressed = Pick<KeyboardEvent, 'altKey' | 'ctrlKey' | 'metaKey' | 'code' | 'key' | 'repeat'>;

/** What a key means; undefined for nothing. `typing` says that it would be a letter somewhere. */
export function actionOf(pressed: Pressed, typing: boolean): Action | undefined {
  if (pressed.ctrlKey || pressed.metaKey || pressed.repeat) return undefined;
  if (pressed.altKey) return hotkeys.find((one) => `Key${one.letter}` === pressed.code)?.action;
  return pressed.key === '?' && !typing ? 'list' : undefined;
}

/** The key of an action as people write it. */
export function keyOf(action: Action): string {
  const found = hotkeys.find((one) => one.action === action);
  return found ? `Alt+${found.letter}` : '?';
}

/** Whether what is pressed on an element is writing. */
export function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}
