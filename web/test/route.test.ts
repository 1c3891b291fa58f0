import { describe, expect, it } from 'vitest';
import { match } from '../src/lib/route.svelte.ts';
import { pageAt, tabsOf } from '../src/screens/screens.ts';

describe('match', () => {
  it('finds the names in an address', () => {
    expect(match('/calls/:id', '/calls/a%2Fb')).toEqual({ id: 'a/b' });
    expect(match('/calls/:id', '/calls/%')).toEqual({ id: '%' });
    expect(match('/calls', '/calls/')).toEqual({});
    expect(match('/calls', '/calls/1')).toBeUndefined();
    expect(match('/', '/')).toEqual({});
  });
});

describe('pages', () => {
  it('are those of the role', () => {
    expect(pageAt('/', 'agent')?.tab).toBe('nav.desk');
    expect(pageAt('/', 'supervisor')?.tab).toBe('nav.floor');
    expect(pageAt('/admin/flows', 'agent')).toBeUndefined();
    expect(pageAt('/admin/flows/hotline', 'admin')?.path).toBe('/admin/:section/:id');
    expect(tabsOf('auditor').map((page) => page.path)).toEqual(['/', '/calls', '/recordings', '/texts']);
  });
});
