// The WebSocket to the box: connects, connects again, carries commands.
// It knows nothing of what the messages mean beyond what it needs for that.

import { backoff } from './backoff.ts';
import type { BoxEvent, Reply, Snapshot } from './contract.ts';

/** How the line to the box is. `replaced`: another tab of this agent took over. */
export type Line = 'connecting' | 'open' | 'waiting' | 'replaced' | 'closed';

/** Why a command had no success, for the dictionary: a code of the box, or ours. */
export class CommandFailed extends Error {
  constructor(
    readonly code: string,
    message = '',
  ) {
    super(message || code);
    this.name = 'CommandFailed';
  }
}

/** What the socket tells whoever opened it. */
export interface Listener {
  onLine(line: Line): void;
  onMessage(message: Snapshot | BoxEvent): void;
  /** The last number seen, to resume from; 0 for a snapshot. */
  since(): number;
  /** The connection could not be made; false when there is no use in going on (logged out). */
  mayRetry(): Promise<boolean>;
}

interface Waiting {
  resolve(result: unknown): void;
  reject(why: CommandFailed): void;
  timer: ReturnType<typeof setTimeout>;
}

/** A command without an answer for so long means a dead connection. */
const patience = 6000;

export class BoxSocket {
  #ws: WebSocket | undefined;
  #tries = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #line: Line = 'closed';

  constructor(
    private readonly address: string,
    private readonly listener: Listener,
    private readonly make: (url: string, protocol: string) => WebSocket = (u, p) => new WebSocket(u, p),
  ) {}

  get line(): Line {
    return this.#line;
  }

  /** Opens now, also when another tab has taken over or a retry is due later. */
  open(): void {
    clearTimeout(this.#retry);
    this.#drop();
    this.#set('connecting');
    const since = this.listener.since();
    const ws = this.make(since > 0 ? `${this.address}?since=${since}` : this.address, 'callbox.v1');
    this.#ws = ws;
    ws.onmessage = (event) => this.#take(ws, event.data);
    ws.onclose = (event) => this.#closed(ws, event.reason);
  }

  /** Closes for good: no more retries. */
  close(): void {
    clearTimeout(this.#retry);
    this.#drop();
    this.#set('closed');
  }

  /** Sends a command and waits for its answer. */
  send(cmd: string, args: Record<string, unknown> = {}): Promise<unknown> {
    const ws = this.#ws;
    if (this.#line !== 'open' || !ws) return Promise.reject(new CommandFailed('offline'));
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#dead(id), patience);
      this.#waiting.set(id, { resolve, reject, timer });
      ws.send(JSON.stringify({ id, cmd, args }));
    });
  }

  #set(line: Line): void {
    if (this.#line === line) return;
    this.#line = line;
    this.listener.onLine(line);
  }

  /** Lets go of the present connection without hearing of its end. */
  #drop(): void {
    const ws = this.#ws;
    this.#ws = undefined;
    if (ws) {
      ws.onmessage = ws.onclose = null;
      ws.close(1000);
    }
    for (const one of this.#waiting.values()) {
      clearTimeout(one.timer);
      one.reject(new CommandFailed('offline'));
    }
    this.#waiting.clear();
  }

  #dead(id: number): void {
    const one = this.#waiting.get(id);
    this.#waiting.delete(id);
    one?.reject(new CommandFailed('timeout'));
    if (one) this.open();
  }

  #take(ws: WebSocket, data: unknown): void {
    if (ws !== this.#ws || typeof data !== 'string') return;
    let message: unknown;
    try {
      message = JSON.parse(data);
    } catch {
      return; // not ours to understand
    }
    if (typeof message !== 'object' || message === null) return;
    if ('re' in message) this.#answer(message as Reply);
    else if ('type' in message) this.#event(message as Snapshot | BoxEvent);
  }

  #answer(reply: Reply): void {
    const one = this.#waiting.get(reply.re);
    if (!one) return;
    this.#waiting.delete(reply.re);
    clearTimeout(one.timer);
    if (reply.ok) one.resolve(reply.result);
    else one.reject(new CommandFailed(reply.error?.code ?? 'unknown', reply.error?.message));
  }

  #event(message: Snapshot | BoxEvent | { type: 'resumed' | 'replaced' }): void {
    if (message.type === 'replaced') {
      this.#drop();
      this.#set('replaced');
      return;
    }
    this.#tries = 0;
    this.#set('open');
    if (message.type !== 'resumed') this.listener.onMessage(message as Snapshot | BoxEvent);
  }

  #closed(ws: WebSocket, reason: string): void {
    if (ws !== this.#ws) return;
    this.#drop();
    if (reason.includes('replaced')) {
      this.#set('replaced');
      return;
    }
    this.#set('waiting');
    this.#retry = setTimeout(() => void this.#again(), backoff(this.#tries++));
  }

  async #again(): Promise<void> {
    const go = await this.listener.mayRetry();
    if (this.#line !== 'waiting') return; // closed, or opened by hand, meanwhile
    if (go) this.open();
    else this.close();
  }
}

/** The WebSocket's address beside the page's. */
export function socketAddress(page: { protocol: string; host: string }): string {
  return `${page.protocol === 'https:' ? 'wss:' : 'ws:'}//${page.host}/api/v1/ws`;
}
