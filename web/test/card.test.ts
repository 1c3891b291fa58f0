import { flushSync, mount, unmount } from 'svelte';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import CallCard from '../src/components/CallCard.svelte';
import { clock } from '../src/lib/clock.svelte.ts';
import { fromRecord, type LiveCall } from '../src/lib/feed.ts';
import { language } from '../src/lib/i18n/language.svelte.ts';

await language.use('zh-CN');

let shown: Record<string, unknown> | undefined;

function card(more: Partial<LiveCall>): HTMLElement {
  const call = fromRecord({ id: 'c', direction: 'in', result: null, from: {}, to: {}, times: {} });
  document.body.replaceChildren();
  shown = mount(CallCard, { target: document.body, props: { call: { ...call, phase: 'ringing', ...more } } });
  flushSync();
  return document.body;
}

beforeEach(() => {
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('no network here')));
});

afterEach(() => {
  if (shown) void unmount(shown);
});

describe('the card', () => {
  const markup = '<img src=x onerror=alert(1)>';

  it('shows what callers send as text', () => {
    const body = card({
      number: { raw: markup, name: markup, place: markup },
      path: [markup],
      popUrl: 'javascript:alert(1)',
      customer: { id: 'k', name: markup, open_tickets: [{ ref: markup, url: 'data:text/html,x' }], devices: [{ model: markup }] },
    });
    expect(body.querySelectorAll('img, a, script')).toHaveLength(0);
    expect(body.querySelector('.number')?.textContent).toBe(markup);
    expect(body.querySelector('.name')?.textContent).toBe(markup);
  });

  it('links to the ticket system without handing anything over', () => {
    const link = card({ popUrl: 'https://t.example/1' }).querySelector('a.open');
    expect(link?.getAttribute('href')).toBe('https://t.example/1');
    expect(link?.getAttribute('rel')).toBe('noopener noreferrer');
    expect(link?.getAttribute('target')).toBe('_blank');
  });

  it('says whose call it is, and why one failed', () => {
    const number = { e164: '+8613800138000', raw: '13800138000' };
    const words = (more: Partial<LiveCall>) => card({ number, ...more }).innerText.replace(/\s+/g, ' ');
    expect(words({ direction: 'out' })).toContain('去电');
    expect(words({ direction: 'out' })).toContain('请拿起您的话机');
    expect(words({ attended: true })).toContain('请直接拿起接听');
    for (const [why, told] of [['busy', '对方忙'], ['notFound', '空号'], ['noAnswer', '无人接听'], ['congestion', '线路忙，无法接通'], ['toString', '呼叫未成功'], ['own.noAnswer', '您的话机无人接听']]) {
      expect(words({ direction: 'out', phase: 'failed', why: why ?? '' })).toContain(told);
    }
    expect(words({ attended: true, phase: 'missed' })).toContain('未接来电');
  });

  it('waits for a late number before it says that there is none', () => {
    const ringing = { attended: true, number: { raw: '' } };
    expect(card({ ...ringing, rang: clock.now }).innerText).toContain('正在识别来电号码');
    expect(card({ ...ringing, rang: clock.now - 8000 }).innerText).toContain('号码未显示');
    expect(card({ ...ringing, attended: false, rang: clock.now }).innerText).toContain('号码未显示');
  });

  it('takes a customer of any shape', () => {
    const odd = { id: 'k', name: 7, vip: 'yes', numbers: 'none', devices: [null, 'x', {}], open_tickets: {}, history: [[]] };
    expect(() => card({ customer: odd as unknown as LiveCall['customer'] })).not.toThrow();
  });
});
