// The tree of what a call can have been about, walked by clicks and by digits.

import type { KindCode, Subject } from './desk.ts';

/** Which folder stands open, by the codes that lead there, and what was chosen. */
export interface Choice {
  path: readonly string[];
  code: string;
}

export const unchosen: Choice = { path: [], code: '' };

function childrenOf(subject: Subject | undefined): readonly Subject[] {
  return subject?.children ?? [];
}

/** What is in the folder at a path; of one that is no more, what is at the top. */
export function folder(tree: readonly Subject[], path: readonly string[]): readonly Subject[] {
  let here = tree;
  for (const code of path) {
    const inside = childrenOf(here.find((one) => one.code === code));
    if (inside.length === 0) return tree;
    here = inside;
  }
  return here;
}

/** The subjects from the top to a code; none where it is not there. */
export function wayTo(tree: readonly Subject[], code: string): readonly Subject[] {
  for (const one of tree) {
    if (one.code === code) return [one];
    const way = wayTo(childrenOf(one), code);
    if (way.length > 0) return [one, ...way];
  }
  return [];
}

/** Chooses one of the open folder: one with children opens, the one chosen before is let go. */
export function pick(choice: Choice, subject: Subject): Choice {
  if (childrenOf(subject).length > 0) return { path: [...choice.path, subject.code], code: '' };
  return { ...choice, code: choice.code === subject.code ? '' : subject.code };
}

/** One folder up. */
export function up(choice: Choice): Choice {
  return { path: choice.path.slice(0, -1), code: '' };
}

/** What a digit does: 1 to 9 choose, 0 goes up. Undefined where it means nothing. */
export function press(tree: readonly Subject[], choice: Choice, digit: string): Choice | undefined {
  if (!/^\d$/.test(digit)) return undefined;
  if (digit === '0') return choice.path.length > 0 ? up(choice) : undefined;
  const one = folder(tree, choice.path)[Number(digit) - 1];
  return one && (childrenOf(one).length > 0 || one.code !== choice.code) ? pick(choice, one) : undefined;
}

/** A choice that was filed before. */
export function chosen(tree: readonly Subject[], code: string): Choice {
  return { path: wayTo(tree, code).slice(0, -1).map((one) => one.code), code };
}

const kinds: readonly string[] = ['consult', 'repair', 'complaint', 'purchase'];

/** The kind that a choice means by itself: one of the codes on its way is the kind's. */
export function kindOf(tree: readonly Subject[], code: string): KindCode | '' {
  const found = wayTo(tree, code).find((one) => kinds.includes(one.code));
  return (found?.code ?? '') as KindCode | '';
}
