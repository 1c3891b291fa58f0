// Times and spans in the words of a language.

import type { Lang } from './translate.ts';

/** 14:03:22, or 14:03; '' for what is no time. */
export function timeOfDay(lang: Lang, at: string | number | null | undefined, seconds = false): string {
  const time = new Date(at ?? NaN);
  if (Number.isNaN(time.getTime())) return '';
  return new Intl.DateTimeFormat(lang, {
    hour: '2-digit',
    minute: '2-digit',
    ...(seconds ? { second: '2-digit' } : {}),
    hourCycle: 'h23',
  }).format(time);
}

/** A day as people write it; '' for what is no date. */
export function day(lang: Lang, at: unknown): string {
  const time = new Date(typeof at === 'string' ? at : NaN);
  if (Number.isNaN(time.getTime())) return '';
  return new Intl.DateTimeFormat(lang, { year: 'numeric', month: 'short', day: 'numeric' }).format(time);
}

/** 35 sec, 35秒; minutes and seconds from a minute on. */
export function lasting(lang: Lang, seconds: number): string {
  const whole = Math.round(seconds);
  const unit = (n: number, name: 'minute' | 'second') =>
    new Intl.NumberFormat(lang, { style: 'unit', unit: name, unitDisplay: 'short' }).format(n);
  if (whole < 60) return unit(whole, 'second');
  return `${unit(Math.floor(whole / 60), 'minute')} ${unit(whole % 60, 'second')}`;
}
