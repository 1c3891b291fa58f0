/** Milliseconds to wait before try `n` (0 first): 0.5 s, doubled to 15 s, up to a third less by chance. */
export function backoff(n: number, chance: () => number = Math.random): number {
  const most = Math.min(15_000, 500 * 2 ** Math.min(n, 10));
  return Math.round(most * (1 - chance() / 3));
}
