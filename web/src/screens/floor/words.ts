// How an agent's state is told: in words, by colour and by shape.

import type { Reason } from '../../lib/contract.ts';
import { t, word } from '../../lib/i18n/language.svelte.ts';
import { shown } from '../../lib/numbers.ts';
import { nameOf } from '../../lib/reasons.ts';
import { safe } from '../../lib/safe.ts';
import type { LiveCall } from '../../lib/feed.ts';
import type { Row, Standing } from './grid.ts';

export const tones: Record<Standing, string> = {
  ready: 'good',
  ringing: 'accent',
  talking: 'busy',
  dialling: 'busy',
  workingAfterCall: 'wrap',
  notReady: 'warn',
  loggedOff: '',
};

/** Why not ready, as the site calls it; '' where there is no reason to tell. */
export function reasonOf(row: Row, reasons: readonly Reason[]): string {
  const { reason, state } = row.desk;
  if (!reason || row.shows !== state || state === 'loggedOff') return '';
  return safe(nameOf(reasons, reason), 24) || word('reason', reason, 'reason.unnamed');
}

/** Which telephone would ring. */
export function phoneOf(row: Row): string {
  if (row.desk.phone === false) return t('phone.none');
  return row.desk.device === 'browser' ? t('floor.page') : t('floor.set');
}

/** The other party of a call: number and name. */
export function partyOf(call: LiveCall): string {
  const number = shown(call.number) || t('call.withheld');
  return call.customer?.name ? `${number} ${safe(call.customer.name, 32)}` : number;
}
