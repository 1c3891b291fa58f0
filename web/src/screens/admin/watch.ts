import type { Fetched } from '../../lib/list.svelte.ts';

/** Looks at a list now and every so many seconds, until what it gives is called. */
export function watch(list: Fetched<unknown>, seconds: number): () => void {
  list.refresh(0);
  const timer = setInterval(() => void (document.hidden || list.refresh(0)), seconds * 1000);
  return () => {
    clearInterval(timer);
    list.stop();
  };
}
