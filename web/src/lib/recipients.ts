// Who can be asked or given a call: found by what is typed, with why not.

import type { Key } from './i18n/translate.ts';
import type { Person } from './people.ts';

/** Whether what was typed names something by one of these words. */
export function matches(typed: string, words: readonly (string | undefined)[]): boolean {
  const wanted = typed.trim().toLowerCase();
  return wanted === '' || words.some((one) => one?.toLowerCase().includes(wanted));
}

/** What is typed as a number to dial; '' where it is none. */
export function numberIn(typed: string): string {
  const digits = typed.trim().replace(/[\s()-]/g, '');
  return /^\+?\d{3,20}$/.test(digits) ? digits : '';
}

/** Why a colleague cannot be asked; '' where that may be tried. */
export function whyNot(person: Person): Key | '' {
  if (!person.state || person.state === 'loggedOff') return 'state.loggedOff';
  if (person.on_call) return 'transfer.inCall';
  return person.device === '' ? 'transfer.noPhone' : '';
}

const order = ['ready', 'workingAfterCall', 'notReady'];

/** Colleagues with who is likeliest to pick up first: free, then as they are, longest there first. */
export function sorted(people: readonly Person[]): Person[] {
  const rank = (one: Person) => (whyNot(one) ? 9 : order.indexOf(one.state ?? ''));
  return [...people].sort((a, b) => rank(a) - rank(b) || (a.since ?? '').localeCompare(b.since ?? '') || a.id.localeCompare(b.id));
}
