// A tree of subjects as people write it: a line each, what belongs to a line
// below it and further in.
//
//   repair 报修
//     repair.lift 电梯

export interface Subject {
  code: string;
  name: string;
  children?: Subject[];
}

/** What is wrong with a line, from 1. */
export interface LineFault {
  line: number;
  why: 'name' | 'indent';
}

const step = '  ';

export function write(subjects: readonly Subject[], depth = 0): string {
  return subjects
    .flatMap((one) => [step.repeat(depth) + `${one.code} ${one.name}`.trimEnd(), ...(one.children?.length ? [write(one.children, depth + 1)] : [])])
    .join('\n');
}

/** Any depth will do, if lines that belong together begin alike. */
export function read(text: string): { subjects: Subject[]; faults: LineFault[] } {
  const subjects: Subject[] = [];
  const faults: LineFault[] = [];
  const open: { indent: number; list: Subject[] }[] = [{ indent: -1, list: subjects }];
  for (const [i, line] of text.split('\n').entries()) {
    const [, blank = '', code = '', name = ''] = /^([\s\u3000]*)(\S+)\s*(.*?)\s*$/.exec(line) ?? [];
    if (!code) continue;
    if (!name) faults.push({ line: i + 1, why: 'name' });
    if (!place(open, blank.replaceAll('\t', step).length, { code, name })) faults.push({ line: i + 1, why: 'indent' });
  }
  return { subjects, faults };
}

/** Hangs a subject into the tree; false where its depth is that of no line above. */
function place(open: { indent: number; list: Subject[] }[], indent: number, one: Subject): boolean {
  const depth = open.length;
  while (open.length > 1 && indent < (open.at(-1)?.indent ?? 0)) open.pop();
  const here = open.at(-1);
  if (here?.indent === indent) {
    here.list.push(one);
    return true;
  }
  const parent = here?.list.at(-1);
  const list = parent ? (parent.children ??= []) : (here?.list ?? []);
  list.push(one);
  open.push({ indent, list });
  return open.length > depth;
}

/** The line, from 1, of what a fault names as dispositions[0].children[2].code; 0 where it names none. */
export function lineOf(text: string, location: string): number {
  const steps = [...location.matchAll(/\[(\d+)\]/g)].map((m) => Number(m[1]));
  if (steps.length === 0) return 0;
  let list: readonly Subject[] = read(text).subjects;
  let before = 0;
  for (const [depth, i] of steps.entries()) {
    before += list.slice(0, i).reduce((n, one) => n + size(one), 0) + (depth > 0 ? 1 : 0);
    list = list[i]?.children ?? [];
  }
  return lineNumber(text, before);
}

function size(one: Subject): number {
  return 1 + (one.children ?? []).reduce((n, child) => n + size(child), 0);
}

/** The line of the n-th subject, from 0: empty lines are none. */
function lineNumber(text: string, n: number): number {
  const filled = text.split('\n').flatMap((line, i) => (line.trim() ? [i + 1] : []));
  return filled[n] ?? 0;
}
