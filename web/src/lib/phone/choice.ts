// What was chosen for the telephone at this browser, kept in it: the desk has a
// headset and a place, whoever sits there.

export interface Choice {
  /** The telephone in the page, or the one on the desk. */
  use: 'page' | 'desk';
  /** Device ids of the browser; '' for its own choice. */
  input: string;
  output: string;
  ring: string;
}

export const noChoice: Choice = { use: 'desk', input: '', output: '', ring: '' };

const where = 'callbox.phone';

/** A choice out of what was kept; what is missing or strange is as if never chosen. */
export function parse(kept: string | null): Choice {
  let found: unknown;
  try {
    found = JSON.parse(kept ?? '');
  } catch {
    return noChoice;
  }
  if (typeof found !== 'object' || found === null) return noChoice;
  const of = (key: keyof Choice): string => {
    const value = (found as Record<string, unknown>)[key];
    return typeof value === 'string' ? value : '';
  };
  return { use: of('use') === 'page' ? 'page' : 'desk', input: of('input'), output: of('output'), ring: of('ring') };
}

/** What was chosen at this browser. */
export function kept(): Choice {
  try {
    return parse(localStorage.getItem(where));
  } catch {
    return noChoice; // storage is forbidden: as if never chosen
  }
}

/** Keeps a choice for the next visit. */
export function keep(choice: Choice): void {
  try {
    localStorage.setItem(where, JSON.stringify(choice));
  } catch {
    // it holds for this visit
  }
}
