import { describe, expect, it } from 'vitest';
import { fromRecord, type LiveCall } from '../src/lib/feed.ts';
import { around, commandIn, news } from '../src/screens/embed/bridge.ts';

function call(more: Partial<LiveCall> = {}): LiveCall {
  return { ...fromRecord({ id: 'c1', direction: 'in', result: null, from: { e164: '+8613800138000' }, to: {}, times: {} }), phase: 'ringing', ...more };
}

const types = (before: LiveCall | undefined, after: LiveCall | undefined) => news(before, after).map((one) => one.type);

describe('what the page around is told', () => {
  const rings = call({ customer: { id: 'k', name: '李雷' }, popUrl: 'https://t.example/1' });
  const talks = { ...rings, phase: 'talking', talked: 5 } as const;
  const over = { ...talks, phase: 'over', ended: 9 } as const;

  it('each step of a call once', () => {
    expect(types(undefined, rings)).toEqual(['ringing', 'pop']);
    expect(types(rings, rings)).toEqual([]);
    expect(types(rings, talks)).toEqual(['answered']);
    expect(types(talks, { ...talks, phase: 'held' })).toEqual([]);
    expect(types(talks, over)).toEqual(['ended']);
    expect(types(over, undefined)).toEqual([]);
    expect(news(talks, over)[0]).toMatchObject({ call_id: 'c1', number: '+8613800138000', result: 'answered', customer: { id: 'k', name: '李雷' } });
  });

  it('an end also of a call that is gone, or that another took the place of', () => {
    expect(news(rings, undefined)[0]).toMatchObject({ type: 'ended', result: 'missed' });
    expect(types(rings, call({ id: 'c2' }))).toEqual(['ended', 'ringing']);
    expect(types(over, call({ id: 'c2' }))).toEqual(['ringing']);
    expect(news(call({ direction: 'out', phase: 'dialling' }), call({ direction: 'out', phase: 'failed' }))[0]).toMatchObject({ type: 'ended', result: 'failed' });
  });

  it('a pop when the customer or the link comes late, and no link of another kind', () => {
    expect(types(call(), rings)).toEqual(['pop']);
    expect(types(undefined, call())).toEqual(['ringing']);
    expect(news(undefined, call({ popUrl: 'javascript:alert(1)' })).find((one) => one.type === 'pop')?.['url']).toBe('');
  });

  it('of a talk that ran before, that it runs', () => {
    expect(types(undefined, talks)).toEqual(['pop', 'answered']);
  });
});

describe('what it may ask', () => {
  it('is what is documented, in that shape', () => {
    expect(commandIn({ callbox: 1, type: 'dial', to: '10086', id: 7 })).toEqual({ type: 'dial', to: '10086', id: '7' });
    expect(commandIn({ callbox: 1, type: 'setState', state: 'notReady', reason: 'lunch' })).toEqual({ type: 'setState', state: 'notReady', reason: 'lunch', id: '' });
    expect(commandIn({ callbox: 1, type: 'setState', state: 'ready' })).toMatchObject({ reason: '' });
    expect(commandIn({ callbox: 1, type: 'answer' })).toEqual({ type: 'answer', id: '' });
  });

  it('is nothing else', () => {
    for (const message of [
      null, 'dial', 7, {}, { type: 'dial', to: '1' }, { callbox: 2, type: 'answer' }, { callbox: 1, type: 'dial' }, { callbox: 1, type: 'dial', to: 10086 },
      { callbox: 1, type: 'dial', to: '1'.repeat(65) }, { callbox: 1, type: 'setState', state: 'loggedOff' }, { callbox: 1, type: 'setState', state: 'ready', reason: {} },
      { callbox: 1, type: 'constructor' }, { callbox: 1, type: 'logout' },
    ]) {
      expect(commandIn(message), JSON.stringify(message)).toBeUndefined();
    }
  });

  it('comes from the page around', () => {
    expect(around(['https://t.example', 'https://other.example'], 'https://r.example/x')).toBe('https://t.example');
    expect(around(undefined, 'https://r.example/x?y')).toBe('https://r.example');
    expect(around([] as string[], '')).toBe('');
  });
});
