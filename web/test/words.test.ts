import { parse } from 'svelte/compiler';
import { beforeAll, describe, expect, it } from 'vitest';
import { day, lasting, timeOfDay } from '../src/lib/i18n/format.ts';
import { en } from '../src/lib/i18n/en/index.ts';
import { zhCN } from '../src/lib/i18n/zh-CN/index.ts';
import { choose, load, plural, translate, wordFor, type Key } from '../src/lib/i18n/translate.ts';

const languages = { 'zh-CN': zhCN, en };

beforeAll(async () => {
  await load('en');
  await load('zh-CN');
});

describe('dictionaries', () => {
  const holes = (words: string) => [...words.matchAll(/\{(\w+)\}/g)].map((m) => m[1]).sort();

  it.each(Object.entries(languages))('%s has the same keys, none empty, with the same holes', (_, words) => {
    expect(Object.keys(words).sort()).toEqual(Object.keys(en).sort());
    for (const [key, value] of Object.entries(words)) {
      expect(value.trim(), key).not.toBe('');
      expect(holes(value), key).toEqual(holes(en[key as Key]));
    }
  });

  it('has no word that is not used', () => {
    const sources = import.meta.glob(['../src/**/*.svelte', '../src/**/*.ts', '!../src/lib/i18n/{en,zh-CN}/*.ts'], {
      query: '?raw',
      import: 'default',
      eager: true,
    });
    const all = Object.values(sources).join('\n');
    // A family is asked for with the value behind its last dot: word('state', …), t(`soft.${…}`).
    const isUsed = (key: string) => [`'${key}'`, `'${key.replace(/\.(one|other)$/, '')}'`].some((quoted) => all.includes(quoted));
    const isOfFamily = (key: string) =>
      [...key.matchAll(/\./g)].map((dot) => key.slice(0, dot.index)).some((family) => all.includes(`'${family}'`) || all.includes('`' + family + '.${'));
    const unused = Object.keys(en).filter((key) => !isUsed(key) && !isOfFamily(key));
    expect(unused).toEqual([]);
  });
});

describe('translate', () => {
  it('fills holes in once', () => {
    expect(translate('en', 'call.announce', { number: '{name}', name: '$& x' })).toBe('Incoming call from {name} $& x');
  });

  it('counts as each language does', () => {
    expect(plural('en', 'sms.parts', 1)).toBe('1 text');
    expect(plural('en', 'sms.parts', 2)).toBe('2 texts');
    expect(plural('zh-CN', 'sms.parts', 1)).toBe('1 条短信');
  });

  it('never shows a value that it has no word for', () => {
    expect(wordFor('zh-CN', 'state', 'workingAfterCall', 'state.unknown')).toBe('话后整理');
    expect(wordFor('zh-CN', 'state', 'somethingNew', 'state.unknown')).toBe('未知');
    expect(wordFor('en', 'constructor', '', 'state.unknown')).toBe('Unknown');
  });

  it('begins with the language chosen before, else the browser’s', () => {
    expect(choose('en', ['zh-CN'])).toBe('en');
    expect(choose(null, ['fr', 'en-GB', 'zh'])).toBe('en');
    expect(choose(null, ['zh-TW'])).toBe('zh-CN');
    expect(choose('klingon', [])).toBe('zh-CN');
  });
});

describe('format', () => {
  it('tells times in the language', () => {
    const at = new Date(2026, 2, 9, 14, 3, 22).toISOString();
    expect(timeOfDay('en', at)).toBe('14:03');
    expect(timeOfDay('zh-CN', at, true)).toBe('14:03:22');
    expect(timeOfDay('en', 'rubbish')).toBe('');
    expect(timeOfDay('en', undefined)).toBe('');
    expect(day('zh-CN', at)).toBe('2026年3月9日');
    expect(day('en', 7)).toBe('');
    expect(lasting('zh-CN', 35)).toBe('35秒');
    expect(lasting('en', 95)).toBe('1 min 35 sec');
  });
});

// ---- no words outside of the dictionaries

const components = import.meta.glob('../src/**/*.svelte', { query: '?raw', import: 'default', eager: true }) as Record<string, string>;
const spoken = ['title', 'placeholder', 'alt', 'aria-label', 'aria-description', 'aria-valuetext', 'label'];

interface Node {
  type?: string;
  data?: string;
  name?: string;
  value?: unknown;
}

/** Every text a person would read that is written down in a component. */
function literals(source: string): string[] {
  const found: string[] = [];
  const words = (text: string) => /\p{L}/u.test(text.replace(/^Alt\+$/, '')) && found.push(text.trim());
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) return node.forEach(visit);
    if (typeof node !== 'object' || node === null) return;
    const { type, data, name, value } = node as Node;
    if (type === 'Attribute') {
      if (spoken.includes(name ?? '')) visit(value);
      return;
    }
    if (type === 'Text' && data) words(data);
    for (const [key, child] of Object.entries(node)) if (key !== 'metadata' && key !== 'parent') visit(child);
  };
  visit((parse(source, { modern: true }) as unknown as { fragment: unknown }).fragment);
  return found;
}

describe('components', () => {
  it('the check itself sees words', () => {
    expect(literals('<p title="Hello">{x} World</p><b class="no">·</b>')).toEqual(['Hello', 'World']);
  });

  // A key is called the same in every language.
  it.each(Object.entries(components))('%s has no words of its own', (_, source) => {
    expect(literals(source)).toEqual([]);
  });

  it.each(Object.entries(components))('%s writes no markup from data', (_, source) => {
    expect(source).not.toMatch(/\{@html|innerHTML|style=/);
  });
});
