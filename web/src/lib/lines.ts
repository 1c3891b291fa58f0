// What troubles a telephone line, told by the box in its own words.

const troubles: readonly [RegExp, string][] = [
  [/permission denied/i, 'denied'],
  [/used by another program/i, 'taken'],
  [/is not there|no box with the serial/i, 'absent'],
  [/the port is gone/i, 'gone'],
  [/does not answer/i, 'silent'],
];

/** The kind of trouble, for the dictionary; '' for none. */
export function troubleOf(why: string | undefined): string {
  if (!why) return '';
  return troubles.find(([sign]) => sign.test(why))?.[1] ?? 'unknown';
}
