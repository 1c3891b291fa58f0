// Numbers that come from links: tel: is handed to /?dial=… by the browser. They
// are put into the dial box and never dialled by themselves.

const channel = 'callbox.dial';
/** How long a window that has the desk may take to answer, in milliseconds. */
const patience = 300;

/** The number in a tel: link (RFC 3966) or in plain writing; '' where there is none. */
export function numberOf(link: string | null): string {
  let written = (link ?? '').trim();
  try {
    written = decodeURIComponent(written.replace(/^tel:(\/\/)?/i, ''));
  } catch {
    return ''; // a stray %
  }
  const number = (written.split(/[;?]/)[0] ?? '').replace(/[\s().-]/g, '');
  return /^\+?[\d*#]{2,31}$/.test(number) ? number : '';
}

interface Note {
  number?: string;
  taken?: string;
}

function tabs(): BroadcastChannel | undefined {
  return typeof BroadcastChannel === 'undefined' ? undefined : new BroadcastChannel(channel);
}

/** Gives a number to the window in which the desk is open already. False where there is none. */
export async function handOver(number: string): Promise<boolean> {
  const all = tabs();
  if (!all || !number) return false;
  const taken = await new Promise<boolean>((done) => {
    const timer = setTimeout(() => done(false), patience);
    all.onmessage = ({ data }: MessageEvent<Note>) => {
      if (data?.taken !== number) return;
      clearTimeout(timer);
      done(true);
    };
    all.postMessage({ number } satisfies Note);
  });
  all.close();
  return taken;
}

/** Takes numbers that other windows were opened with; the answer ends it. */
export function takeOver(take: (number: string) => boolean): () => void {
  const all = tabs();
  if (!all) return () => undefined;
  all.onmessage = ({ data }: MessageEvent<Note>) => {
    const number = numberOf(typeof data?.number === 'string' ? data.number : null);
    if (number && take(number)) all.postMessage({ taken: number } satisfies Note);
  };
  return () => all.close();
}

/** Whether this browser can have tel: links open here. */
export function canTakeLinks(): boolean {
  return isSecureContext && 'registerProtocolHandler' in navigator;
}

/** Asks the browser to; it asks the person in its own words. */
export function takeLinks(): void {
  navigator.registerProtocolHandler('tel', `${location.origin}/?dial=%s`);
}
