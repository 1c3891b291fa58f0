import type { PhoneNumber } from './contract.ts';
import { safe } from './safe.ts';

// How numbers are grouped: mobile ones, 400 and 800 lines, landlines behind their area code.
const groups = [/^()(1[3-9]\d)(\d{4})(\d{4})$/, /^()([48]00)(\d{3})(\d{4})$/, /^0?(10|2\d|[3-9]\d{2})(\d{3,4})(\d{4})$/];

/** The number to send back to the box: E.164 where there is one, else as received. */
export function dialable(number: PhoneNumber | null | undefined): string {
  return number?.e164 || number?.raw || '';
}

/** The digits of a Chinese number without its country code, in groups; '' where it is none. */
function grouped(digits: string): string {
  const [mobile, service, landline] = groups.map((group) => group.exec(digits));
  const found = mobile ?? service;
  if (found) return found.slice(2).join(' ');
  return landline ? `0${landline.slice(1).join(' ')}` : '';
}

/** A number as people here read it: 138 0013 8000, 0571 8888 0001; '' for none. */
export function shown(number: PhoneNumber | string | null | undefined): string {
  if (!number) return '';
  const { e164, raw } = typeof number === 'string' ? { e164: number, raw: number } : number;
  const home = e164?.startsWith('+86') ? grouped(e164.slice(3)) : '';
  if (home) return home;
  const clean = safe(raw || e164);
  // As received: only what says by itself what it is.
  return /^(0|1[3-9]|[48]00)/.test(clean) ? grouped(clean) || clean : clean;
}

/** Where a text to this caller goes: the number itself, or the customer's first that can take one. */
export function textable(number: PhoneNumber | null | undefined, others: readonly unknown[] = []): string {
  const own = dialable(number);
  const all = [own, ...others].filter((one): one is string => typeof one === 'string');
  return all.find(canText) ?? (/^\+?\d{3,20}$/.test(own) ? own : '');
}

/** Whether a text can reach the number: a Chinese mobile one in any usual form. */
export function canText(number: string): boolean {
  return /^(\+?86|0086|0)?1[3-9]\d{9}$/.test(number.replace(/[\s-]/g, ''));
}
