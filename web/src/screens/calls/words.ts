// How a call's record is put into words, for lists and for its own page.

import type { CallRecord, PhoneNumber } from '../../lib/contract.ts';
import { isAttended, whyOf } from '../../lib/feed.ts';
import { t, word } from '../../lib/i18n/language.svelte.ts';

/** The party outside the house. */
export function outside(call: { direction?: 'in' | 'out'; from: PhoneNumber; to: PhoneNumber }): PhoneNumber {
  return call.direction === 'out' ? call.to : call.from;
}

/** How the call ended, in words. */
export function result(call: CallRecord): string {
  if (call.result === null) return t('result.running');
  if (call.result === 'failed' && call.direction === 'out') return word('unreached', whyOf(call), 'result.failed');
  if (call.result === 'abandoned' && isAttended(call)) return t('result.missed');
  const where = call.result === 'abandoned' && call.where ? `.${call.where}` : '';
  return word('result', call.result + where, 'result.unknown');
}

export function tone(call: CallRecord): string {
  if (call.result === 'answered') return 'good';
  if (call.result === 'abandoned' || call.result === 'failed') return 'warn';
  return call.result === null ? 'busy' : '';
}
