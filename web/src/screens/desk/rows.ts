// Rows of a customer's card, whose shape the ticket system decides.

import type { Customer, Row } from '../../lib/contract.ts';

export function text(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

/** The rows in what should be a list of them. */
export function rowsOf(value: unknown): Row[] {
  return Array.isArray(value) ? value.filter((v): v is Row => typeof v === 'object' && v !== null && !Array.isArray(v)) : [];
}

const purchases = ['purchase', '购买', '采购', '销售'];

/** What was bought apart from what was done. */
export function historyOf(customer: Customer): { services: Row[]; purchases: Row[] } {
  const all = rowsOf(customer.history);
  const isPurchase = (row: Row) => purchases.includes(text(row['kind']).toLowerCase());
  return { services: all.filter((row) => !isPurchase(row)), purchases: all.filter(isPurchase) };
}

/** Whether a day in the past ends something; undefined where it is no day. */
export function isPast(day: unknown, now: number): boolean | undefined {
  const at = typeof day === 'string' ? Date.parse(day) : NaN;
  return Number.isNaN(at) ? undefined : at < now;
}

/** A number without what writings of it differ in. */
function bare(number: string): string {
  return number.replace(/\D/g, '').replace(/^(00)?86(?=\d{9})/, '').replace(/^0+/, '');
}

/** Whether one of the numbers is this one, in any usual writing. */
export function hasNumber(numbers: readonly unknown[], number: string): boolean {
  const wanted = bare(number);
  return wanted !== '' && numbers.some((one) => bare(text(one)) === wanted);
}
