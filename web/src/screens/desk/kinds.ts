// What kinds of calls, and the fields of a customer's rows, are called.

import { t } from '../../lib/i18n/language.svelte.ts';
import { safe } from '../../lib/safe.ts';
import type { KindCode } from './desk.ts';

// The box's own names; each language has words for them.
const defaults: Record<KindCode, string> = { consult: '咨询', repair: '报修', complaint: '抱怨', purchase: '购买' };

function isKind(code: unknown): code is KindCode {
  return typeof code === 'string' && Object.hasOwn(defaults, code);
}

/** A kind in the site's words, else in those of the language; one of somebody else's in his. */
export function kindName(code: unknown, name = ''): string {
  if (!isKind(code)) return safe(name || code, 16);
  return name && name !== defaults[code] ? safe(name, 16) : t(`kind.${code}`);
}

const fields = ['engineer', 'engineer_phone', 'due', 'created', 'appointment', 'address', 'fault', 'contact', 'amount', 'quantity', 'price', 'device', 'time', 'ref', 'customer', 'number', 'agent', 'title'] as const;

/** A field of a row: as it was named where there is no word for it. */
export function fieldName(key: string): string {
  const known = fields.find((one) => one === key);
  return known ? t(`field.${known}`) : safe(key, 24);
}
