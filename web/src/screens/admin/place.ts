// What of the administration the address names.

import { match, route } from '../../lib/route.svelte.ts';

export interface Place {
  /** '' where the address names none. */
  section: string;
  /** '' is the list of all, undefined something new. */
  id: string | undefined;
}

export function here(): Place {
  const params = match('/admin/:section/:id', route.path) ?? match('/admin/:section', route.path) ?? {};
  return { section: params['section'] ?? '', id: params['id'] ?? (route.query.has('new') ? undefined : '') };
}
