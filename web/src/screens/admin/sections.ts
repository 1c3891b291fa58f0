// What the administration has: each section by its name in the address, who
// sees it, and its code, which is fetched when it is first looked at.

import type { Component } from 'svelte';
import type { Role } from '../../lib/contract.ts';
import type { Key } from '../../lib/i18n/translate.ts';

export interface Section {
  name: string;
  title: Key;
  roles: readonly Role[];
  load: () => Promise<{ default: Component }>;
}

const bosses: readonly Role[] = ['supervisor', 'admin'];
const admins: readonly Role[] = ['admin'];
const objects = () => import('./Objects.svelte');

/** In the order in which they are offered. */
export const sections: readonly Section[] = [
  { name: 'agents', title: 'admin.agents', roles: bosses, load: objects },
  { name: 'queues', title: 'admin.queues', roles: bosses, load: objects },
  { name: 'calendars', title: 'admin.calendars', roles: bosses, load: objects },
  { name: 'flows', title: 'admin.flows', roles: bosses, load: () => import('./Flows.svelte') },
  { name: 'routes', title: 'admin.routes', roles: bosses, load: objects },
  { name: 'templates', title: 'admin.templates', roles: bosses, load: objects },
  { name: 'desk', title: 'admin.desk', roles: bosses, load: () => import('./DeskSettings.svelte') },
  { name: 'lines', title: 'admin.lines', roles: bosses, load: () => import('./Lines.svelte') },
  { name: 'trunks', title: 'admin.trunks', roles: bosses, load: () => import('./Trunks.svelte') },
  { name: 'carriers', title: 'admin.carriers', roles: bosses, load: () => import('./Carriers.svelte') },
  { name: 'webhooks', title: 'admin.webhooks', roles: bosses, load: () => import('./Webhooks.svelte') },
  { name: 'keys', title: 'admin.keys', roles: admins, load: () => import('./Keys.svelte') },
  { name: 'users', title: 'admin.users', roles: admins, load: objects },
];

/** The sections of somebody in this role. */
export function sectionsOf(role: Role): Section[] {
  return sections.filter((one) => one.roles.includes(role));
}
