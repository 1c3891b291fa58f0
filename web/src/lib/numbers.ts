import type { PhoneNumber } from './contract.ts';
import { safe } from './safe.ts';

const mobile = /^\+86(1[3-9]\d{9})$/;

/** The number to send back to the box: E.164 where there is one, else as received. */
export function dialable(number: PhoneNumber | null | undefined): string {
  return number?.e164 || number?.raw || '';
}

/** A number as people here read it: 138 0013 8000, 0571 8888 0001; '' for none. */
export function shown(number: PhoneNumber | string | null | undefined): string {
  if (!number) return '';
  const { e164, raw } = typeof number === 'string' ? { e164: number, raw: number } : number;
  const short = mobile.exec(e164 ?? '')?.[1];
  if (short) return `${short.slice(0, 3)} ${short.slice(3, 7)} ${short.slice(7)}`;
  const clean = safe(raw || e164);
  const landline = /^(0(?:10|2\d|[3-9]\d{2}))(\d{3,4})(\d{4})$/.exec(clean);
  return landline ? landline.slice(1).join(' ') : clean;
}

/** Whether a text can reach the number: a Chinese mobile one in any usual form. */
export function canText(number: string): boolean {
  return /^(\+?86|0086|0)?1[3-9]\d{9}$/.test(number.replace(/[\s-]/g, ''));
}
