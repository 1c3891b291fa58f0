import { describe, expect, it } from 'vitest';
import { cap, safe, safeText, safeUrl } from '../src/lib/safe.ts';

describe('safe', () => {
  it.each([
    ['王芳', '王芳'],
    ['<script>alert(1)</script>', '<script>alert(1)</script>'], // a text node's business
    ['a\u0000b\u001bc\u007fd\u0085e', 'a\uFFFDb\uFFFDc\uFFFDd\uFFFDe'],
    ['\u202Egnp.exe', '\uFFFDgnp.exe'],
    ['a\u2066b\u2069c\u200Fd\u061Ce', 'a\uFFFDb\uFFFDc\uFFFDd\uFFFDe'],
    ['zero\u200Bwidth\uFEFF', 'zero\uFFFDwidth\uFFFD'],
    ['half \uD83D', 'half \uFFFD'],
    ['whole 😀', 'whole 😀'],
    [12, '12'],
    [true, 'true'],
    [null, ''],
    [{ a: 1 }, ''],
  ])('%j becomes %j', (from, to) => expect(safe(from)).toBe(to));

  it('cuts at the cap, counting characters', () => {
    expect(safe('😀'.repeat(cap))).toBe('😀'.repeat(cap));
    expect(Array.from(safe('😀'.repeat(cap + 1)))).toHaveLength(cap);
    expect(safe('a'.repeat(5_000_000))).toBe('a'.repeat(cap - 1) + '…');
  });

  it('does not let marks heap up', () => {
    expect(Array.from(safe('e' + '\u0301'.repeat(40)))).toHaveLength(4);
  });

  it('keeps a text on one line', () => {
    expect(safeText('one\r\n two\nthree')).toBe('one two three');
  });
});

describe('safeUrl', () => {
  it.each([
    ['https://t.example/1?a=b', 'https://t.example/1?a=b'],
    ['http://10.0.0.1/x', 'http://10.0.0.1/x'],
    ['javascript:alert(1)', ''],
    [' java\nscript:alert(1)', ''],
    ['data:text/html,x', ''],
    ['/relative', ''],
    ['', ''],
    [7, ''],
  ])('%j becomes %j', (from, to) => expect(safeUrl(from)).toBe(to));
});
