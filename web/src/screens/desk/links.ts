// Links into the ticket system, with what is known of a call filled in.

import type { LiveCall } from '../../lib/feed.ts';
import { dialable } from '../../lib/numbers.ts';
import { safeUrl } from '../../lib/safe.ts';
import { text } from './rows.ts';

export type LinkValues = Partial<Record<'call_id' | 'number' | 'customer_id' | 'customer_name' | 'kind' | 'agent' | 'ticket', string>>;

/** Percent-encoded so that no value ends the part of the link that it stands in (RFC 3986 §2.1). */
function encoded(value: string): string {
  if (/^\.*$/.test(value)) return ''; // dots alone would lead to a folder above
  const whole = value.replace(/\p{Cs}/gu, '\uFFFD');
  return encodeURIComponent(whole).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** The link with its {places} filled in; '' where it is none to open, or a value would become part of the host. */
export function fillLink(link: string | undefined, values: LinkValues): string {
  if (!link || /^https?:\/\/[^/?#\\]*[{}@]/i.test(link)) return '';
  const known: Record<string, string | undefined> = values;
  return safeUrl(link.replace(/\{([^{}]*)\}/g, (_, name: string) => encoded(Object.hasOwn(known, name) ? (known[name] ?? '') : '')));
}

/** What of a call can be filled in. */
export function valuesOf(call: LiveCall, agent: string, kind = ''): LinkValues {
  return {
    call_id: call.id,
    number: dialable(call.number),
    customer_id: text(call.customer?.id),
    customer_name: text(call.customer?.name),
    kind,
    agent,
    ticket: text(call.customer?.open_tickets?.[0]?.['ref']),
  };
}
