import { flushSync, mount, unmount } from 'svelte';
import { afterEach, describe, expect, it } from 'vitest';
import CallCard from '../src/components/CallCard.svelte';
import { fromRecord, type LiveCall } from '../src/lib/feed.ts';

let shown: Record<string, unknown> | undefined;

function card(more: Partial<LiveCall>): HTMLElement {
  const call = fromRecord({ id: 'c', direction: 'in', result: null, from: {}, to: {}, times: {} });
  document.body.replaceChildren();
  shown = mount(CallCard, { target: document.body, props: { call: { ...call, phase: 'ringing', ...more } } });
  flushSync();
  return document.body;
}

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

  it('takes a customer of any shape', () => {
    const odd = { id: 'k', name: 7, vip: 'yes', numbers: 'none', devices: [null, 'x', {}], open_tickets: {}, history: [[]] };
    expect(() => card({ customer: odd as unknown as LiveCall['customer'] })).not.toThrow();
  });
});
