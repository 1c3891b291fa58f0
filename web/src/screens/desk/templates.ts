// Texts at hand, with what is known filled in.

import type { Row } from '../../lib/contract.ts';
import type { LiveCall } from '../../lib/feed.ts';
import { dialable } from '../../lib/numbers.ts';
import { rowsOf, text } from './rows.ts';

const variable = /\{([\p{L}_][\p{L}\p{N}_.]*)\}/gu;

/** The box makes it itself: the link of a notice. */
const boxes = ['ack'];

/** The names that a template wants, each once, without what the box fills in. */
export function wanted(template: string): string[] {
  const names = [...template.matchAll(variable)].map((found) => found[1] ?? '');
  return [...new Set(names)].filter((name) => !boxes.includes(name));
}

export type Vars = Record<string, string>;

/** The template with what is known; what is not stays as it is written. */
export function fillText(template: string, vars: Vars): string {
  return template.replace(variable, (hole, name: string) => (Object.hasOwn(vars, name) && vars[name]) || hole);
}

/** The template's own words, by which people know it. */
export function titleOf(template: string): string {
  return template.replace(variable, '…');
}

function national(number: string): string {
  return number.replace(/^\+86/, '');
}

/** What a call says of a template's names: the first open ticket's fields, the customer, the agent. */
export function known(call: LiveCall | undefined, agent: string): Vars {
  const ticket: Row = rowsOf(call?.customer?.open_tickets)[0] ?? {};
  const vars: Vars = {};
  for (const [key, value] of Object.entries(ticket)) if (text(value)) vars[key] = text(value);
  const own: Vars = {
    customer: text(call?.customer?.name),
    number: national(dialable(call?.number)),
    agent,
    ticket: vars['ref'] ?? '',
    time: vars['appointment'] ?? vars['time'] ?? '',
  };
  for (const [key, value] of Object.entries(own)) if (value) vars[key] = value;
  return vars;
}
