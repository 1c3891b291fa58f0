// Time as screens show it. The box's clock is the truth; the browser's may be
// minutes off, so `offset` is taken from the snapshot and added.

/** RFC 3339 to milliseconds, NaN where there is none. */
export function ms(time: string | null | undefined): number {
  return time ? Date.parse(time) : NaN;
}

/** What to add to the browser's clock to have the box's, in milliseconds. */
export function offsetOf(boxTime: string, browserNow: number): number {
  const at = ms(boxTime);
  return Number.isNaN(at) ? 0 : at - browserNow;
}

/** Whole seconds from `since` to `now`, never below 0; 0 where since is unknown. */
export function elapsed(since: number | undefined, now: number): number {
  if (since === undefined || Number.isNaN(since)) return 0;
  return Math.max(0, Math.floor((now - since) / 1000));
}

/** Seconds as a running clock: 0:07, 12:34, 1:02:03. */
export function clockOf(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds));
  const two = (n: number) => String(n).padStart(2, '0');
  const h = Math.floor(s / 3600);
  const m = Math.floor(s / 60) % 60;
  return h > 0 ? `${h}:${two(m)}:${two(s % 60)}` : `${m}:${two(s % 60)}`;
}

/** The last midnight here, as RFC 3339 with this zone's offset. */
export function midnight(now: Date): string {
  const start = new Date(now.getFullYear(), now.getMonth(), now.getDate());
  const east = -start.getTimezoneOffset();
  const two = (n: number) => String(n).padStart(2, '0');
  const zone = `${east < 0 ? '-' : '+'}${two(Math.floor(Math.abs(east) / 60))}:${two(Math.abs(east) % 60)}`;
  return `${start.getFullYear()}-${two(start.getMonth() + 1)}-${two(start.getDate())}T00:00:00${zone}`;
}

/** Milliseconds until the next whole second of `now`, so that all timers step together. */
export function toNextSecond(now: number): number {
  return 1000 - (((now % 1000) + 1000) % 1000);
}
