import { describe, expect, it } from 'vitest';
import { backoff } from '../src/lib/backoff.ts';
import { canText, dialable, shown, textable } from '../src/lib/numbers.ts';
import { count } from '../src/lib/parts.ts';
import { isOrder, pair, sentAt } from '../src/lib/texts.ts';
import { clockOf, elapsed, midnight, offsetOf, toNextSecond } from '../src/lib/time.ts';
import type { Incoming, Message } from '../src/lib/contract.ts';

describe('count', () => {
  it.each([
    ['', 0],
    ['字', 1],
    ['字'.repeat(70), 1],
    ['字'.repeat(71), 2],
    ['字'.repeat(134), 2],
    ['字'.repeat(135), 3],
    ['字'.repeat(201), 3],
    // 66 units, then a pair that does not fit into the 67th: it moves to the next part whole.
    ['字'.repeat(66) + '😀' + '字'.repeat(65), 2],
    ['字'.repeat(66) + '😀' + '字'.repeat(66), 3],
  ])('%#: parts', (text, parts) => expect(count(text).parts).toBe(parts));

  it('tells what is left', () => {
    expect(count('').left).toBe(70);
    expect(count('字'.repeat(70)).left).toBe(0);
    expect(count('字'.repeat(71)).left).toBe(63);
  });
});

describe('time', () => {
  it.each([
    [0, '0:00'],
    [7.9, '0:07'],
    [754, '12:34'],
    [3723, '1:02:03'],
    [-5, '0:00'],
  ])('clockOf(%d)', (s, out) => expect(clockOf(s)).toBe(out));

  it('counts from the box’s time, never below nothing', () => {
    const browser = Date.parse('2026-01-01T00:05:00Z');
    const offset = offsetOf('2026-01-01T00:00:00Z', browser);
    expect(offset).toBe(-300_000);
    expect(elapsed(Date.parse('2025-12-31T23:59:50Z'), browser + offset)).toBe(10);
    expect(elapsed(Date.parse('2026-01-01T00:00:01Z'), browser + offset)).toBe(0);
    expect(elapsed(undefined, browser)).toBe(0);
    expect(elapsed(NaN, browser)).toBe(0);
    expect(offsetOf('', browser)).toBe(0);
  });

  it('knows this zone’s midnight', () => {
    const at = new Date(2026, 2, 9, 15, 4, 5);
    expect(midnight(at)).toMatch(/^2026-03-09T00:00:00[+-]\d\d:\d\d$/);
    expect(Date.parse(midnight(at))).toBe(new Date(2026, 2, 9).getTime());
  });

  it('steps at whole seconds', () => {
    expect(toNextSecond(1_000)).toBe(1000);
    expect(toNextSecond(1_999)).toBe(1);
    expect(toNextSecond(-1)).toBe(1);
  });
});

describe('backoff', () => {
  it('doubles from half a second to fifteen', () => {
    const none = () => 0;
    expect([0, 1, 2, 3, 4, 5, 50].map((n) => backoff(n, none))).toEqual([500, 1000, 2000, 4000, 8000, 15000, 15000]);
    expect(backoff(5, () => 1)).toBe(10_000);
  });
});

describe('numbers', () => {
  it.each([
    [{ e164: '+8613800138000', raw: '013800138000' }, '138 0013 8000'],
    [{ e164: '+8657188880001', raw: '057188880001' }, '0571 8888 0001'],
    ['+8657188880001', '0571 8888 0001'],
    ['+861088880001', '010 8888 0001'],
    [{ e164: '+864001234567', raw: '4001234567' }, '400 123 4567'],
    [{ raw: '4001234567' }, '400 123 4567'],
    [{ raw: '013800138000' }, '013800138000'],
    [{ raw: '88880001' }, '88880001'],
    ['+4915112345678', '+4915112345678'],
    [{ e164: '', raw: '10086' }, '10086'],
    [{ e164: '', raw: '' }, ''],
    [{ raw: '\u202E123' }, '\uFFFD123'],
    [null, ''],
    ['+8613800138000', '138 0013 8000'],
  ])('shown(%j)', (number, out) => expect(shown(number)).toBe(out));

  it('prefers E.164 for sending', () => {
    expect(dialable({ e164: '+8613800138000', raw: '013800138000' })).toBe('+8613800138000');
    expect(dialable({ e164: '', raw: '10086' })).toBe('10086');
    expect(dialable(undefined)).toBe('');
  });

  it('finds where a text can go', () => {
    expect(textable({ e164: '+8613800138000' })).toBe('+8613800138000');
    expect(textable({ e164: '+8657188880001' }, ['+8657188880002', 7, '+8613800138000'])).toBe('+8613800138000');
    expect(textable({ e164: '+8657188880001' })).toBe('+8657188880001');
    expect(textable({ e164: '', raw: '<script>' })).toBe('');
    expect(textable(undefined)).toBe('');
  });

  it.each([
    ['+8613800138000', true],
    ['138 0013 8000', true],
    ['013800138000', true],
    ['057188880001', false],
    ['10086', false],
  ])('canText(%s)', (number, out) => expect(canText(number)).toBe(out));
});

describe('texts', () => {
  const message = (id: string, more: Partial<Message>): Message => ({ id, to: '+861', status: 'delivered', ...more });
  const reply = (id: string, more: Partial<Incoming>): Incoming => ({ id, time: '', from: '+861', text: '1', ...more });

  it('puts answers under what they answer, oldest first', () => {
    const sent = [message('m2', { job: 'j2', ref: 'W2' }), message('m1', { job: 'j1', ref: 'W1' })];
    const got = pair(sent, [
      reply('r3', { job: 'j1' }),
      reply('r2', { ref: 'W2' }),
      reply('r1', { job: 'j1' }),
      reply('r0', { job: 'j1', from: '+862' }),
      reply('rx', {}),
    ]);
    expect(got.sent.map((one) => one.replies.map((r) => r.id))).toEqual([['r2'], ['r1', 'r3']]);
    expect(got.others.map((r) => r.id)).toEqual(['r0', 'rx']);
  });

  it('knows when a text was taken on', () => {
    expect(sentAt(message('m', { times: { submitted: '2026-01-01T00:00:02Z', queued: '2026-01-01T00:00:01Z', x: null } }))).toBe(
      '2026-01-01T00:00:01Z',
    );
    expect(sentAt(message('m', {}))).toBe('');
  });

  it('tells an order from a call', () => {
    expect(isOrder('W20260101')).toBe(true);
    expect(isOrder('01890a5d-ac96-774b-bcce-b302099a8057')).toBe(false);
    expect(isOrder('')).toBe(false);
  });
});
