// Asking the box as an administrator: a refusal keeps the place of each fault.

import { ApiError, ask, query, type Fault } from '../../lib/api.ts';
import type { List } from '../../lib/contract.ts';
import { t } from '../../lib/i18n/language.svelte.ts';
import { safeText } from '../../lib/safe.ts';
import type { Document, Option, Told } from './field.ts';

/** The box did not take what was sent; faults say where. */
export class Refused extends ApiError {
  constructor(
    fault: Fault,
    detail: string,
    status: number,
    readonly faults: readonly Told[],
  ) {
    super(fault, detail, status);
  }
}

const kinds: Record<number, Fault> = { 401: 'unauthorized', 403: 'forbidden', 404: 'notFound', 429: 'tooMany' };

async function refusal(response: Response): Promise<Refused> {
  const problem = (await response.json().catch(() => ({}))) as { title?: string; detail?: string; errors?: Told[] | null };
  const fault = kinds[response.status] ?? (response.status < 500 ? 'refused' : 'server');
  return new Refused(fault, problem.detail ?? problem.title ?? '', response.status, problem.errors ?? []);
}

/** Sends to the box below /api/v1 and gives its answer, whatever its type. Errors: {@link Refused}, ApiError. */
export async function send(method: string, path: string, body: string, type = 'application/json', accept = 'application/json'): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(`/api/v1${path}`, {
      method,
      credentials: 'same-origin',
      headers: { Accept: accept, ...(body ? { 'Content-Type': type } : {}) },
      ...(body ? { body } : {}),
    });
  } catch {
    throw new ApiError('unreachable');
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

export async function put<T>(path: string, body: unknown): Promise<T> {
  return (await (await send('PUT', path, JSON.stringify(body))).json()) as T;
}

export async function post<T>(path: string, body: unknown): Promise<T> {
  return (await (await send('POST', path, JSON.stringify(body))).json()) as T;
}

export async function remove(path: string): Promise<void> {
  await send('DELETE', path, '');
}

/** A list that has no pages. */
export async function whole<T>(path: string): Promise<T[]> {
  return (await ask<List<T>>('GET', path)).items ?? [];
}

/** Everything in a list, page by page. */
export async function all<T>(path: string): Promise<T[]> {
  const items: T[] = [];
  let cursor = '';
  for (let page = 0; page < 20; page++) {
    const got = await ask<List<T>>('GET', `${path}${query({ limit: 500, cursor })}`);
    items.push(...(got.items ?? []));
    cursor = got.next ?? '';
    if (!cursor) break;
  }
  return items;
}

/** Objects of a kind to choose from, by name. */
export async function options(kind: string): Promise<Option[]> {
  const items = await all<Document>(`/${kind}`);
  return items.map((one) => ({ value: String(one['id'] ?? ''), name: typeof one['name'] === 'string' && one['name'] ? one['name'] : String(one['id'] ?? '') }));
}

/** What went wrong, for people: the box's own words where it has some. */
export function wordsOf(why: unknown): string {
  if (!(why instanceof ApiError)) return t('fault.unreachable');
  const detail = why instanceof Refused && ['refused', 'forbidden'].includes(why.fault) ? safeText(why.detail, 300) : '';
  return [t(`fault.${why.fault}`), detail].filter(Boolean).join(' ');
}
