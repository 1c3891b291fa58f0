// The language in use, and everything on the page that depends on it.

import * as format from './format.ts';
import { choose, load, plural, translate, wordFor, type Key, type Lang, type Plural, type Values } from './translate.ts';

const where = 'callbox.lang';

function kept(): string | null {
  try {
    return localStorage.getItem(where);
  } catch {
    return null; // storage is forbidden: the choice holds for this visit
  }
}

/** The language that the address asks for, for this visit; '' for none. */
const asked = new URLSearchParams(location.search).get('lang') ?? '';

class Language {
  #now = $state<Lang>(asked ? choose(null, [asked, ...navigator.languages]) : choose(kept(), navigator.languages));

  constructor() {
    document.documentElement.lang = this.#now;
  }

  get now(): Lang {
    return this.#now;
  }

  /** Fetches the words of the language chosen, or of the one to begin with. */
  async use(lang: Lang = this.#now): Promise<void> {
    await load(lang);
    if (lang === this.#now) return;
    this.#now = lang;
    document.documentElement.lang = lang;
    try {
      localStorage.setItem(where, lang);
    } catch {
      // see kept
    }
  }
}

export const language = new Language();

export function t(key: Key, values?: Values): string {
  return translate(language.now, key, values);
}

export function tn(stem: Plural, n: number): string {
  return plural(language.now, stem, n);
}

export function word(family: string, value: string | null | undefined, otherwise: Key): string {
  return wordFor(language.now, family, value, otherwise);
}

export function timeOfDay(at: string | number | null | undefined, seconds = false): string {
  return format.timeOfDay(language.now, at, seconds);
}

export function day(at: unknown): string {
  return format.day(language.now, at);
}

export function lasting(seconds: number): string {
  return format.lasting(language.now, seconds);
}
