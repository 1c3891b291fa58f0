// Places in a text of many lines, for the editor of flows.

/** A part of a text. */
export interface Range {
  start: number;
  end: number;
}

/** A line, from 1, without its end. Behind the last line it is the end of the text. */
export function rangeOf(text: string, line: number): Range {
  let start = 0;
  for (let i = 1; i < line; i++) {
    const next = text.indexOf('\n', start);
    if (next < 0) return { start: text.length, end: text.length };
    start = next + 1;
  }
  const end = text.indexOf('\n', start);
  return { start, end: end < 0 ? text.length : end };
}

export const step = '  ';

/** What replaces a part of the text when the lines of a selection move in, or out. */
export function shifted(text: string, from: number, to: number, out: boolean): { range: Range; text: string } {
  const start = text.lastIndexOf('\n', from - 1) + 1;
  const behind = text.indexOf('\n', to);
  const end = behind < 0 ? text.length : behind;
  const lines = text.slice(start, end).split('\n');
  const moved = lines.map((line) => (out ? line.replace(/^ {1,2}/, '') : line === '' ? line : step + line));
  return { range: { start, end }, text: moved.join('\n') };
}

/** The indent that the line before a place has: what a new line begins with. */
export function indentAt(text: string, place: number): string {
  const start = text.lastIndexOf('\n', place - 1) + 1;
  return /^ */.exec(text.slice(start, place))?.[0] ?? '';
}

/** The line, from 1, on which a node of a flow begins; 0 where it is not found. */
export function lineOfNode(text: string, node: string): number {
  const lines = text.split('\n');
  const nodes = lines.findIndex((line) => /^\s*(- )?nodes\s*:/.test(line));
  const named = (line: string) => /^\s*["']?([^"':]+?)["']?\s*:/.exec(line)?.[1] === node;
  const found = lines.findIndex((line, i) => i > nodes && named(line));
  return found + 1;
}
