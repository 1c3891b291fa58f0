// What the browser's getStats says of a talk, and what it means.

/** One look at the statistics; counters are since the connection began. */
export interface Look {
  /** Milliseconds of any clock. */
  time: number;
  received: number;
  lost: number;
  concealed: number;
  jitterMs: number | undefined;
  rttMs: number | undefined;
  /** Of the microphone, 0 to 1. */
  level: number | undefined;
  /** Sound that the microphone has given, summed up. */
  energy: number | undefined;
}

type Row = Record<string, unknown>;

function figure(row: Row | undefined, key: string): number | undefined {
  const value = row?.[key];
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

function inMs(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : Math.round(seconds * 10_000) / 10;
}

/** Reads a look out of a report's rows. */
export function look(rows: Iterable<Row>, time: number): Look {
  const all = [...rows];
  const of = (type: string) => all.find((row) => row['type'] === type && (row['kind'] ?? 'audio') === 'audio');
  const inbound = of('inbound-rtp');
  const source = of('media-source');
  const pair = all.find((row) => row['type'] === 'candidate-pair' && row['nominated'] === true);
  const remote = of('remote-inbound-rtp');
  return {
    time,
    received: figure(inbound, 'packetsReceived') ?? 0,
    lost: figure(inbound, 'packetsLost') ?? 0,
    concealed: figure(inbound, 'concealedSamples') ?? 0,
    jitterMs: inMs(figure(inbound, 'jitter')),
    rttMs: inMs(figure(remote, 'roundTripTime') ?? figure(pair, 'currentRoundTripTime')),
    level: figure(source, 'audioLevel'),
    energy: figure(source, 'totalAudioEnergy'),
  };
}

/** How long nothing may be heard before it is said, in milliseconds. */
export const silentFor = 3000;

/** Since when each side of the talk has been silent. */
export interface Watch {
  last: Look | undefined;
  heardAt: number;
  spokeAt: number;
}

export const noWatch: Watch = { last: undefined, heardAt: 0, spokeAt: 0 };

/**
 * Takes a look into account. A microphone in a quiet room still hums; one that
 * is switched off gives nothing at all. muted stops the clock of the own side.
 */
export function watch(before: Watch, now: Look, muted: boolean): Watch {
  const { last } = before;
  if (!last || now.received < last.received) return { last: now, heardAt: now.time, spokeAt: now.time };
  const speaks = muted || now.energy === undefined || now.energy > (last.energy ?? 0);
  return {
    last: now,
    heardAt: now.received > last.received ? now.time : before.heardAt,
    spokeAt: speaks ? now.time : before.spokeAt,
  };
}

/** Which side of the talk has been silent for too long. */
export function silence({ last, heardAt, spokeAt }: Watch): '' | 'received' | 'mic' {
  if (!last) return '';
  if (last.time - heardAt >= silentFor) return 'received';
  return last.time - spokeAt >= silentFor ? 'mic' : '';
}

/** A look as media.stats takes it. */
export function told(now: Look, call: string, device: string): Record<string, unknown> {
  return {
    call_id: call,
    ...(now.rttMs === undefined ? {} : { rtt_ms: now.rttMs }),
    ...(now.jitterMs === undefined ? {} : { jitter_ms: now.jitterMs }),
    lost: Math.max(0, now.lost),
    received: now.received,
    concealed: now.concealed,
    ...(now.level === undefined ? {} : { level: Math.round(now.level * 1000) / 1000 }),
    device: device.slice(0, 64),
  };
}
