// Words and their filling in, without any state.

import { en, type Key, type Words } from './en.ts';
import { zhCN } from './zh-CN.ts';

export type { Key } from './en.ts';

export const languages = { 'zh-CN': zhCN, en } satisfies Record<string, Words>;
export type Lang = keyof typeof languages;

/** Each language by its own name. */
export const ownNames: Record<Lang, string> = { 'zh-CN': '简体中文', en: 'English' };

export type Values = Record<string, string | number>;

function isLang(value: unknown): value is Lang {
  return typeof value === 'string' && Object.hasOwn(languages, value);
}

/** The language to begin with: the one chosen before, else the first the browser asks for that we have. */
export function choose(kept: string | null, wanted: readonly string[]): Lang {
  if (isLang(kept)) return kept;
  for (const one of wanted) {
    if (/^zh\b/i.test(one)) return 'zh-CN';
    if (/^en\b/i.test(one)) return 'en';
  }
  return 'zh-CN';
}

/** The words for a key, with {names} filled in once: what is filled in is never read again. */
export function translate(lang: Lang, key: Key, values: Values = {}): string {
  return languages[lang][key].replace(/\{(\w+)\}/g, (hole, name: string) => String(values[name] ?? hole));
}

type Stem<K> = K extends `${infer S}.other` ? S : never;
/** Keys that have a form for one and a form for many. */
export type Plural = Stem<Key>;

/** As {@link translate}, in the form that the count `n` asks for. */
export function plural(lang: Lang, stem: Plural, n: number): string {
  const form = new Intl.PluralRules(lang).select(n) === 'one' ? 'one' : 'other';
  return translate(lang, `${stem}.${form}`, { n: new Intl.NumberFormat(lang).format(n) });
}

/** The word for one value of a fixed set, or that for unknown ones: never the value itself. */
export function wordFor(lang: Lang, family: string, value: string | null | undefined, otherwise: Key): string {
  const key = `${family}.${value ?? ''}`;
  return translate(lang, Object.hasOwn(en, key) ? (key as Key) : otherwise);
}
