// The reasons for being not ready, as the site has them.

import type { Reason } from './contract.ts';

// The box's own, in the words it has them in; each language has a word for them.
const defaults: Record<string, string> = { lunch: '午餐', break: '小休', training: '培训', meeting: '会议' };

/** What a code is called by the site; '' where the dictionary knows better, or nobody. */
export function nameOf(reasons: readonly Reason[], code: string | undefined): string {
  const reason = reasons.find((one) => one.code === code);
  if (!reason || defaults[reason.code] === reason.name) return '';
  return reason.name;
}

/** Whether a state with a reason has lasted longer than the site allows for it; limits are in seconds. */
export function isLate(reasons: readonly Reason[], code: string | undefined, seconds: number): boolean {
  const limit = reasons.find((one) => one.code === code)?.limit ?? 0;
  return limit > 0 && seconds > limit;
}
