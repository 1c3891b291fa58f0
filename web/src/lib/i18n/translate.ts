// Words and their filling in, without any state.

import type { Key, Words } from './en/index.ts';

export type { Key } from './en/index.ts';

export type Lang = 'zh-CN' | 'en';

/** Each language by its own name. */
export const ownNames: Record<Lang, string> = { 'zh-CN': '简体中文', en: 'English' };

const sources: Record<Lang, () => Promise<Words>> = {
  'zh-CN': async () => (await import('./zh-CN/index.ts')).zhCN,
  en: async () => (await import('./en/index.ts')).en,
};

const loaded: Partial<Record<Lang, Words>> = {};

/** Fetches a language's words; nothing can be said in it before. */
export async function load(lang: Lang): Promise<void> {
  loaded[lang] ??= await sources[lang]();
}

function words(lang: Lang): Words {
  const all = loaded[lang];
  if (!all) throw new Error(`the words of ${lang} are not loaded`);
  return all;
}

export type Values = Record<string, string | number>;

function isLang(value: unknown): value is Lang {
  return typeof value === 'string' && Object.hasOwn(ownNames, value);
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
  return words(lang)[key].replace(/\{(\w+)\}/g, (hole, name: string) => String(values[name] ?? hole));
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
  return translate(lang, Object.hasOwn(words(lang), key) ? (key as Key) : otherwise);
}
