import { describe, expect, it } from 'vitest';
import { noChoice, parse } from '../src/lib/phone/choice.ts';
import { look, noWatch, silence, told, watch, type Look } from '../src/lib/phone/figures.ts';
import { levelOf } from '../src/lib/phone/meter.ts';
import { obstacleOf, refusalOf } from '../src/lib/phone/obstacle.ts';
import { isUsable, next, patience, type Event, type State } from '../src/lib/phone/states.ts';

const states: State[] = ['off', 'asking', 'offering', 'joining', 'up', 'shaken', 'away', 'deaf', 'failed'];

describe('the telephone’s states', () => {
  const path = (from: State, ...events: Event[]) => events.reduce(next, from);

  it.each<[string, State, Event[], State]>([
    ['comes up', 'off', ['want', 'mic', 'taken', 'joined'], 'up'],
    ['may be joined before it is told', 'off', ['want', 'mic', 'joined', 'taken'], 'up'],
    ['offers anew when the way is broken for long', 'up', ['lost', 'late'], 'asking'],
    ['forgives a short break', 'up', ['lost', 'joined'], 'up'],
    ['offers anew when the line is back', 'up', ['line'], 'asking'],
    ['offers anew when the box does not answer', 'offering', ['late'], 'asking'],
    ['offers anew when no way is found', 'joining', ['late'], 'asking'],
    ['says that there is no microphone', 'off', ['want', 'deaf'], 'deaf'],
    ['does not ask for a microphone by itself', 'deaf', ['late'], 'deaf'],
    ['asks for it when the agent does', 'deaf', ['want'], 'asking'],
    ['asks the box again after a refusal', 'offering', ['refused', 'late'], 'asking'],
    ['is put out by a microphone that goes', 'up', ['deaf'], 'deaf'],
    ['leaves to another window', 'up', ['replaced'], 'away'],
    ['comes back from there', 'away', ['line'], 'asking'],
    ['is not moved by sound that comes late', 'off', ['joined', 'taken', 'mic', 'lost', 'late', 'replaced'], 'off'],
  ])('%s', (_, from, events, to) => expect(path(from, ...events)).toBe(to));

  it.each(states)('%s can be left', (state) => expect(next(state, 'leave')).toBe('off'));

  it('waits for what may take time, and longer each time', () => {
    expect(patience('shaken', 0)).toBe(5000);
    expect(patience('up', 0)).toBeUndefined();
    expect(patience('deaf', 3)).toBeUndefined();
    expect([0, 1, 2, 9].map((tries) => patience('failed', tries))).toEqual([5000, 10_000, 20_000, 60_000]);
    expect(states.filter(isUsable)).toEqual(['up', 'shaken']);
  });
});

describe('the microphone', () => {
  const good = { isSecureContext: true, navigator: { mediaDevices: { getUserMedia: () => undefined } }, RTCPeerConnection: () => undefined };

  it('is missing for a reason', () => {
    expect(obstacleOf(good)).toBe('');
    expect(obstacleOf({ ...good, isSecureContext: false, navigator: {} })).toBe('insecure');
    expect(obstacleOf({ ...good, navigator: {} })).toBe('unsupported');
    expect(obstacleOf({ ...good, RTCPeerConnection: undefined })).toBe('unsupported');
  });

  it.each([
    [{ name: 'NotAllowedError' }, 'denied'],
    [{ name: 'NotFoundError' }, 'none'],
    [{ name: 'NotReadableError' }, 'taken'],
    [{ name: 'OverconstrainedError' }, 'unplugged'],
    [{ name: 'constructor' }, 'unknown'],
    ['what', 'unknown'],
  ])('%j is %s', (why, what) => expect(refusalOf(why)).toBe(what));

  it('has a level as people hear it', () => {
    expect(levelOf(new Float32Array(64))).toBe(0);
    expect(levelOf(new Float32Array(64).fill(1))).toBe(1);
    expect(levelOf(new Float32Array(64).fill(0.001))).toBeCloseTo(0, 5);
    expect(levelOf(new Float32Array(64).fill(0.03162))).toBeCloseTo(0.5, 2);
  });
});

describe('the choice of telephone', () => {
  it('is the desk’s until somebody chooses', () => {
    for (const kept of [null, '', '7', 'null', '{"use":"moon"}']) expect(parse(kept).use).toBe('desk');
    expect(parse(null)).toEqual(noChoice);
  });

  it('is kept with its devices', () => {
    const choice = { use: 'page' as const, input: 'a', output: 'b', ring: 'c' };
    expect(parse(JSON.stringify(choice))).toEqual(choice);
    expect(parse('{"use":"page","input":7}')).toEqual({ ...noChoice, use: 'page' });
  });
});

describe('the statistics', () => {
  const rows = [
    { type: 'inbound-rtp', kind: 'video', packetsReceived: 9 },
    { type: 'inbound-rtp', kind: 'audio', packetsReceived: 500, packetsLost: -1, concealedSamples: 80, jitter: 0.0123 },
    { type: 'media-source', kind: 'audio', audioLevel: 0.12345, totalAudioEnergy: 3 },
    { type: 'candidate-pair', nominated: false, currentRoundTripTime: 9 },
    { type: 'candidate-pair', nominated: true, currentRoundTripTime: 0.004 },
  ];

  it('are read, and told to the box', () => {
    const now = look(rows, 0);
    expect(now).toMatchObject({ received: 500, concealed: 80, jitterMs: 12.3, rttMs: 4, level: 0.12345, energy: 3 });
    expect(told(now, 'c1', 'x'.repeat(99))).toEqual({
      call_id: 'c1', rtt_ms: 4, jitter_ms: 12.3, lost: 0, received: 500, concealed: 80, level: 0.123, device: 'x'.repeat(64),
    });
    expect(told(look([], 0), 'c1', '')).toEqual({ call_id: 'c1', lost: 0, received: 0, concealed: 0, device: '' });
  });

  const at = (time: number, received: number, energy: number): Look => ({ ...look([], time), received, energy });
  const after = (muted: boolean, ...looks: Look[]) => silence(looks.reduce((state, one) => watch(state, one, muted), noWatch));

  it('tell after three seconds that nothing comes, or that the microphone is dead', () => {
    const [a, b] = [at(0, 50, 1), at(1000, 100, 2)];
    expect(after(false)).toBe('');
    expect(after(false, a, b, at(2000, 100, 3), at(3900, 100, 4))).toBe('');
    expect(after(false, a, b, at(2000, 100, 3), at(4000, 100, 4))).toBe('received');
    expect(after(false, a, b, at(4000, 150, 2))).toBe('mic');
    expect(after(true, a, b, at(4000, 150, 2))).toBe('');
    expect(after(false, a, b, at(4000, 100, 2), at(5000, 150, 3))).toBe('');
    expect(after(false, a, b, at(4000, 3, 0)), 'a new connection counts from nothing').toBe('');
  });
});
