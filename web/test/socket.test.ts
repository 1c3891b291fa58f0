import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { BoxSocket, socketAddress, type Line, type Listener } from '../src/lib/socket.ts';

/** The browser's end of a WebSocket, driven by hand. */
class Wire {
  sent: { id: number; cmd: string; args: unknown }[] = [];
  closed = false;
  onmessage: ((e: { data: string }) => void) | null = null;
  onclose: ((e: { reason: string }) => void) | null = null;
  constructor(
    readonly url: string,
    readonly protocol: string,
  ) {}
  send(text: string) {
    this.sent.push(JSON.parse(text));
  }
  close() {
    this.closed = true;
  }
  says(message: unknown) {
    this.onmessage?.({ data: typeof message === 'string' ? message : JSON.stringify(message) });
  }
  ends(reason = '') {
    this.onclose?.({ reason });
  }
}

let wires: Wire[];
let lines: Line[];
let messages: unknown[];
let seq: number;
let loggedIn: boolean;
let socket: BoxSocket;

const last = () => wires.at(-1) as Wire;

beforeEach(() => {
  vi.useFakeTimers();
  wires = [];
  lines = [];
  messages = [];
  seq = 0;
  loggedIn = true;
  const listener: Listener = {
    onLine: (line) => lines.push(line),
    onMessage: (message) => messages.push(message),
    since: () => seq,
    mayRetry: () => Promise.resolve(loggedIn),
  };
  socket = new BoxSocket('ws://box/api/v1/ws', listener, (url, protocol) => {
    const wire = new Wire(url, protocol);
    wires.push(wire);
    return wire as unknown as WebSocket;
  });
  socket.open();
});

afterEach(() => {
  socket.close();
  vi.useRealTimers();
});

const snapshot = { type: 'snapshot', seq: 5, time: '', agent: null, calls: [], queues: [] };

describe('BoxSocket', () => {
  it('opens with the subprotocol, and again with the last number', async () => {
    expect(last().url).toBe('ws://box/api/v1/ws');
    expect(last().protocol).toBe('callbox.v1');
    last().says(snapshot);
    expect(lines).toEqual(['connecting', 'open']);
    expect(messages).toEqual([snapshot]);
    seq = 5;
    last().ends();
    await vi.advanceTimersByTimeAsync(600);
    expect(last().url).toBe('ws://box/api/v1/ws?since=5');
    last().says({ type: 'resumed', seq: 5 });
    expect(socket.line).toBe('open');
    expect(messages).toHaveLength(1);
  });

  it('waits longer after each failure, and starts afresh after a success', async () => {
    const waits: number[] = [];
    for (let n = 0; n < 4; n++) {
      const before = wires.length;
      last().ends();
      let waited = 0;
      while (wires.length === before) {
        await vi.advanceTimersByTimeAsync(100);
        waited += 100;
      }
      waits.push(waited);
    }
    expect(waits).toEqual([...waits].sort((a, b) => a - b));
    expect(waits[3]).toBeGreaterThan(2000);
    last().says(snapshot);
    last().ends();
    await vi.advanceTimersByTimeAsync(600);
    expect(wires).toHaveLength(6);
  });

  it('stands still when another tab has taken over, until told', async () => {
    last().says(snapshot);
    last().says({ type: 'replaced' });
    expect(socket.line).toBe('replaced');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(wires).toHaveLength(1);
    socket.open();
    last().says(snapshot);
    expect(socket.line).toBe('open');
  });

  it('understands a close with the same word', async () => {
    last().says(snapshot);
    last().ends('replaced');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(socket.line).toBe('replaced');
    expect(wires).toHaveLength(1);
  });

  it('gives up when the session is gone', async () => {
    loggedIn = false;
    last().ends();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(socket.line).toBe('closed');
    expect(wires).toHaveLength(1);
  });

  it('matches answers to commands', async () => {
    last().says(snapshot);
    const good = socket.send('setAgentState', { state: 'ready' });
    const bad = socket.send('clearConnection', { call_id: 'x' });
    expect(last().sent).toEqual([
      { id: 1, cmd: 'setAgentState', args: { state: 'ready' } },
      { id: 2, cmd: 'clearConnection', args: { call_id: 'x' } },
    ]);
    last().says({ re: 2, ok: false, error: { code: 'not_found', message: 'no such call' } });
    last().says({ re: 1, ok: true, result: { state: 'ready' } });
    await expect(good).resolves.toEqual({ state: 'ready' });
    await expect(bad).rejects.toMatchObject({ code: 'not_found' });
  });

  it('takes silence for a dead connection', async () => {
    last().says(snapshot);
    const command = expect(socket.send('setAgentState')).rejects.toMatchObject({ code: 'timeout' });
    await vi.advanceTimersByTimeAsync(6000);
    await command;
    expect(wires).toHaveLength(2);
    expect(wires[0]?.closed).toBe(true);
  });

  it('refuses commands without a connection', async () => {
    await expect(socket.send('setAgentState')).rejects.toMatchObject({ code: 'offline' });
  });

  it('does not fall over what it does not understand', () => {
    for (const junk of ['', '{', 'null', '7', '[]', '{"re":99,"ok":true}', '{}']) last().says(junk);
    expect(messages).toEqual([]);
  });
});

describe('socketAddress', () => {
  it('follows the page', () => {
    expect(socketAddress({ protocol: 'https:', host: 'box:8443' })).toBe('wss://box:8443/api/v1/ws');
    expect(socketAddress({ protocol: 'http:', host: '10.0.0.2' })).toBe('ws://10.0.0.2/api/v1/ws');
  });
});
