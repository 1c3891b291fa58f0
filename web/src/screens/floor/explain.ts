// Why an agent was offered a call and the others were not, out of the words in
// which the box writes it down: "longest_idle: idle 3 s; not 1002 (busy), 1003
// (idle 2 s); more: 7 not ready".

export type Because =
  | 'idle' | 'calls' | 'talk' | 'turn' | 'drawn' // what the queue's strategy saw
  | 'ready' | 'notReady' | 'workingAfterCall' | 'loggedOff' // an agent's states
  | 'busy' | 'ringing' | 'noPhone' | 'away' | 'notAsked' | 'skill' | 'tried' | 'behind'
  | 'unknown';

export interface Cause {
  because: Because;
  n: number;
  /** As it was written, for what is not known here. */
  raw: string;
}

export interface Passed extends Cause {
  agent: string;
}

export interface Explained {
  /** How the queue chooses; '' where no queue chose. */
  strategy: string;
  merit: Cause | null;
  passed: Passed[];
  more: Cause[];
  /** Why a colleague had the agent rung, and who; '' for nobody. */
  errand: 'consult' | 'transfer' | 'recall' | '';
  by: string;
}

const said: Record<string, Because> = {
  'in turn': 'turn',
  drawn: 'drawn',
  ready: 'ready',
  notReady: 'notReady',
  'not ready': 'notReady',
  workingAfterCall: 'workingAfterCall',
  loggedOff: 'loggedOff',
  busy: 'busy',
  ringing: 'ringing',
  no_phone: 'noPhone',
  away: 'away',
  'not asked for': 'notAsked',
  skill: 'skill',
  'tried before': 'tried',
  'comes later': 'behind',
};

const counted: [RegExp, Because][] = [
  [/^idle (-?\d+) s$/, 'idle'],
  [/^(\d+) calls$/, 'calls'],
  [/^(\d+) s of talk$/, 'talk'],
];

function causeOf(words: string): Cause {
  const raw = words.trim();
  for (const [form, because] of counted) {
    const found = form.exec(raw);
    if (found) return { because, n: Math.max(0, Number(found[1])), raw };
  }
  return { because: said[raw] ?? 'unknown', n: 0, raw };
}

function passedIn(list: string): Passed[] {
  return [...list.matchAll(/([^\s,()]+) \(([^)]*)\)/g)].map(([, agent = '', why = '']) => ({ agent, ...causeOf(why) }));
}

function moreIn(list: string): Cause[] {
  return [...list.matchAll(/(\d+) ([^,]+)/g)].map(([, n, why = '']) => ({ ...causeOf(why), n: Number(n) }));
}

/** What is written, in parts; undefined for words that are not of this form. */
export function explain(why: string | undefined): Explained | undefined {
  const [, errand, by] = /^(consult|transfer|recall) by (\S+)$/.exec(why ?? '') ?? [];
  if (errand && by) return { strategy: '', merit: null, passed: [], more: [], errand: errand as Explained['errand'], by };
  const [, strategy, merit, passed = '', more = ''] = /^([a-z_]+): ([^;]*)(?:; not ([^;]*))?(?:; more: ([^;]*))?$/.exec(why ?? '') ?? [];
  if (!strategy) return undefined;
  return { strategy, merit: merit ? causeOf(merit) : null, passed: passedIn(passed), more: moreIn(more), errand: '', by: '' };
}
