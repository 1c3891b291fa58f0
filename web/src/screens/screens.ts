// Every screen of the application: its address, who has it, and its code, which
// is fetched when it is first looked at.

import type { Component } from 'svelte';
import type { Role } from '../lib/contract.ts';
import type { Key } from '../lib/i18n/translate.ts';
import { match } from '../lib/route.svelte.ts';

export interface Page {
  path: string;
  roles: readonly Role[];
  /** Its name in the row of tabs; a page without one is reached from another. */
  tab?: Key;
  load: () => Promise<{ default: Component }>;
}

const everybody: readonly Role[] = ['agent', 'supervisor', 'admin', 'auditor'];
const readers: readonly Role[] = ['supervisor', 'admin', 'auditor'];
const workers: readonly Role[] = ['agent', 'supervisor', 'admin'];
const bosses: readonly Role[] = ['supervisor', 'admin'];

export const pages: readonly Page[] = [
  { path: '/', roles: ['agent'], tab: 'nav.desk', load: () => import('./desk/Desk.svelte') },
  { path: '/', roles: readers, tab: 'nav.floor', load: () => import('./floor/FloorScreen.svelte') },
  { path: '/missed', roles: workers, tab: 'nav.missed', load: () => import('./missed/Missed.svelte') },
  { path: '/calls', roles: everybody, tab: 'nav.calls', load: () => import('./calls/CallsScreen.svelte') },
  { path: '/calls/:id', roles: everybody, load: () => import('./calls/CallScreen.svelte') },
  { path: '/recordings', roles: everybody, tab: 'nav.recordings', load: () => import('./recordings/Recordings.svelte') },
  { path: '/texts', roles: everybody, tab: 'nav.texts', load: () => import('./texts/TextsScreen.svelte') },
  { path: '/chat', roles: workers, tab: 'nav.chat', load: () => import('./chat/Chat.svelte') },
  { path: '/admin', roles: bosses, tab: 'nav.admin', load: () => import('./admin/Admin.svelte') },
  { path: '/admin/:section', roles: bosses, load: () => import('./admin/Admin.svelte') },
  { path: '/admin/:section/:id', roles: bosses, load: () => import('./admin/Admin.svelte') },
];

/** The page at an address for somebody in this role; what the address names it reads by {@link match} itself. */
export function pageAt(path: string, role: Role): Page | undefined {
  return pages.find((page) => page.roles.includes(role) && match(page.path, path));
}

/** The tabs of somebody in this role, in order. */
export function tabsOf(role: Role): (Page & { tab: Key })[] {
  return pages.filter((page): page is Page & { tab: Key } => !!page.tab && page.roles.includes(role));
}
