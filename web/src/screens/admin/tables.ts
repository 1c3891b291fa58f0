// The kinds of objects that have a list and a form: what is in each.

import type { Role } from '../../lib/contract.ts';
import { box } from '../../lib/box.svelte.ts';
import { day, lasting, t, timeOfDay, word } from '../../lib/i18n/language.svelte.ts';
import type { Key } from '../../lib/i18n/translate.ts';
import { ask, query } from '../../lib/api.ts';
import type { Document, Field, Option } from './field.ts';

/** What the box says of an object beside what it is. */
export type Live = Record<string, Document>;

export interface Column {
  label: Key;
  text: (one: Document, live: Document | undefined) => string;
  /** Shown as a chip of this tone. */
  tone?: (one: Document, live: Document | undefined) => string;
  figures?: boolean;
}

export interface Table {
  /** Its name in the address, and below /api/v1. */
  kind: string;
  title: Key;
  add: Key;
  /** Which key names an object. */
  name: string;
  /** What a new one has. */
  blank: Document;
  columns: readonly Column[];
  fields: readonly Field[];
  tidy?: (document: Document) => Document;
  live?: (documents: readonly Document[]) => Promise<Live>;
  /** Seconds between two looks at the list. */
  every?: number;
  /** The box gives the list only, whole, and not one of it. */
  listed?: boolean;
}

const str = (value: unknown): string => (typeof value === 'string' ? value : typeof value === 'number' ? String(value) : '');
const listed = (value: unknown, nameOf: (id: string) => string): string =>
  Array.isArray(value) ? value.map((one) => nameOf(str(one))).join(', ') : '';
const queueName = (id: string) => box.feed.queues[id]?.name || id;
const span = (value: unknown): string => (typeof value === 'number' ? lasting(value) : '');
const chosen = (family: string, values: readonly string[], otherwise: Key) => (): Option[] =>
  values.map((value) => ({ value, name: word(family, value, otherwise) }));

const id: Field = { path: 'id', kind: 'text', label: 'admin.id', hint: 'admin.id.hint', required: true, fixed: true };
const name: Field = { path: 'name', kind: 'text', label: 'admin.name', required: true };
const idColumn: Column = { label: 'admin.id', text: (one) => str(one['id']), figures: true };
const nameColumn: Column = { label: 'admin.name', text: (one) => str(one['name']) };
const roleColumn: Column = { label: 'admin.role', text: (one) => word('role', str(one['role']), 'role.agent') };

/** A supervisor makes agents, an administrator anybody. */
function roles(): Option[] {
  const all: Role[] = box.user?.role === 'admin' ? ['agent', 'supervisor', 'admin', 'auditor'] : ['agent'];
  return all.map((role) => ({ value: role, name: t(`role.${role}`) }));
}

const tones: Record<string, string> = { ready: 'good', notReady: 'warn', workingAfterCall: 'wrap' };

export const agents: Table = {
  kind: 'agents',
  title: 'admin.agents',
  add: 'admin.agents.add',
  name: 'id',
  blank: { role: 'agent' },
  every: 5,
  columns: [
    idColumn,
    nameColumn,
    roleColumn,
    { label: 'admin.extension', text: (one) => str(one['extension']), figures: true },
    { label: 'admin.queues', text: (one) => listed(one['queues'], queueName) },
    {
      label: 'admin.state',
      text: (one) => (one['state'] ? word('state', str(one['state']), 'state.unknown') : ''),
      tone: (one) => tones[str(one['state'])] ?? '',
    },
  ],
  fields: [
    id,
    name,
    { path: 'role', kind: 'select', label: 'admin.role', options: roles, required: true },
    { path: 'extension', kind: 'text', label: 'admin.extension', hint: 'admin.extension.hint' },
    { path: 'queues', kind: 'multi', label: 'admin.queues', from: 'queues' },
    { path: 'skills', kind: 'levels', label: 'admin.skills', hint: 'admin.skills.hint' },
    { path: 'password', kind: 'password', label: 'admin.password', hint: 'admin.password.keep', group: 'admin.secrets' },
    { path: 'sip_password', kind: 'password', label: 'admin.sipPassword', hint: 'admin.password.keep' },
  ],
};

export const queues: Table = {
  kind: 'queues',
  title: 'admin.queues',
  add: 'admin.queues.add',
  name: 'id',
  blank: { strategy: 'longest_idle', ring_timeout: 20, wrap_up: 15, max_wait: 300, max_length: 50, service_level: 20 },
  columns: [
    idColumn,
    nameColumn,
    { label: 'admin.strategy', text: (one) => word('admin.strategy', str(one['strategy']), 'admin.strategy.longest_idle') },
    { label: 'admin.ringTimeout', text: (one) => span(one['ring_timeout']), figures: true },
    { label: 'admin.wrapUp', text: (one) => span(one['wrap_up']), figures: true },
    { label: 'admin.serviceLevel', text: (one) => span(one['service_level']), figures: true },
  ],
  fields: [
    id,
    name,
    {
      path: 'strategy',
      kind: 'select',
      label: 'admin.strategy',
      options: chosen(
        'admin.strategy',
        ['longest_idle', 'round_robin', 'fewest_calls', 'least_talk', 'linear', 'random'],
        'admin.strategy.longest_idle',
      ),
    },
    { path: 'ring_timeout', kind: 'seconds', label: 'admin.ringTimeout', hint: 'admin.ringTimeout.hint' },
    { path: 'wrap_up', kind: 'seconds', label: 'admin.wrapUp', hint: 'admin.wrapUp.hint' },
    { path: 'max_wait', kind: 'seconds', label: 'admin.maxWait', hint: 'admin.maxWait.hint' },
    { path: 'max_length', kind: 'number', label: 'admin.maxLength', hint: 'admin.maxLength.hint' },
    { path: 'service_level', kind: 'seconds', label: 'admin.serviceLevel', hint: 'admin.serviceLevel.hint' },
  ],
};

export const weekdays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;

/** Until when and why a calendar is as it is, in words. */
export function standing(now: Document | undefined): string {
  if (!now) return '';
  const until = str(now['until']);
  const is = now['open'] === true ? t('admin.open') : t('admin.closed');
  const why = str(now['name']) || word('admin.by', str(now['why']), 'admin.by.hours');
  return until ? t('admin.standing', { is, why, until: `${day(until)} ${timeOfDay(until)}` }) : t('admin.standing.ever', { is, why });
}

export const calendars: Table = {
  kind: 'calendars',
  title: 'admin.calendars',
  add: 'admin.calendars.add',
  name: 'id',
  blank: { hours: Object.fromEntries(weekdays.slice(0, 5).map((one) => [one, ['09:00-18:00']])) },
  every: 15,
  columns: [
    idColumn,
    nameColumn,
    { label: 'admin.now', text: (_, now) => standing(now), tone: (_, now) => (now?.['open'] === true ? 'good' : 'warn') },
  ],
  live: async (documents) => {
    const names = documents.map((one) => str(one['id']));
    const states = await Promise.all(
      names.map((one) => ask<Document>('GET', `/calendars/${encodeURIComponent(one)}/now`).catch(() => undefined)),
    );
    return Object.fromEntries(names.flatMap((one, i) => (states[i] ? [[one, states[i]]] : [])));
  },
  fields: [
    id,
    { ...name, required: false },
    ...weekdays.map(
      (one, i): Field => ({
        path: `hours.${one}`,
        kind: 'spans',
        label: `admin.day.${one}`,
        ...(i === 0 ? { group: 'admin.hours', hint: 'admin.hours.hint' } : {}),
      }),
    ),
    {
      path: 'holidays',
      kind: 'rows',
      label: 'admin.holidays',
      group: 'admin.days',
      fields: [
        { path: 'date', kind: 'date', label: 'admin.date', required: true },
        { path: 'name', kind: 'text', label: 'admin.name' },
      ],
    },
    {
      path: 'workdays',
      kind: 'rows',
      label: 'admin.workdays',
      hint: 'admin.workdays.hint',
      fields: [
        { path: 'date', kind: 'date', label: 'admin.date', required: true },
        { path: 'name', kind: 'text', label: 'admin.name' },
        { path: 'hours', kind: 'spans', label: 'admin.ownHours' },
      ],
    },
    {
      path: 'override.open',
      kind: 'choice',
      label: 'admin.override.open',
      group: 'admin.override',
      options: () => [
        { value: '', name: t('admin.override.none') },
        { value: 'true', name: t('admin.open') },
        { value: 'false', name: t('admin.closed') },
      ],
    },
    { path: 'override.until', kind: 'moment', label: 'admin.override.until', hint: 'admin.override.hint' },
    { path: 'override.note', kind: 'text', label: 'admin.override.note' },
  ],
  tidy: (document) => {
    const override = document['override'] as Document | null | undefined;
    return override && override['open'] === undefined ? { ...document, override: null } : document;
  },
};

export const templates: Table = {
  kind: 'templates',
  title: 'admin.templates',
  add: 'admin.templates.add',
  name: 'id',
  blank: { class: 'dispatch' },
  columns: [
    idColumn,
    { label: 'admin.class', text: (one) => word('admin.class', str(one['class']), 'admin.class.notice') },
    { label: 'admin.text', text: (one) => str(one['text']) },
  ],
  fields: [
    id,
    {
      path: 'class',
      kind: 'select',
      label: 'admin.class',
      required: true,
      options: chosen('admin.class', ['dispatch', 'notice', 'marketing'], 'admin.class.notice'),
    },
    { path: 'text', kind: 'area', label: 'admin.text', hint: 'admin.text.hint', required: true },
    { path: 'replies', kind: 'pairs', label: 'admin.replies', hint: 'admin.replies.hint' },
  ],
};

export const routes: Table = {
  kind: 'routes',
  title: 'admin.routes',
  add: 'admin.routes.add',
  name: 'number',
  blank: {},
  columns: [
    { label: 'admin.number', text: (one) => str(one['number']), figures: true },
    { label: 'admin.flow', text: (one) => str(one['flow']) },
  ],
  fields: [
    { path: 'number', kind: 'text', label: 'admin.number', hint: 'admin.number.hint', required: true, fixed: true },
    { path: 'flow', kind: 'select', label: 'admin.flow', from: 'flows', required: true },
  ],
};

export const users: Table = {
  kind: 'users',
  title: 'admin.users',
  add: 'admin.users.add',
  name: 'id',
  blank: { role: 'supervisor' },
  listed: true,
  columns: [
    idColumn,
    nameColumn,
    roleColumn,
    {
      label: 'admin.mayLogIn',
      text: (one) => (one['has_password'] === true ? t('admin.yes') : t('admin.noPassword')),
      tone: (one) => (one['has_password'] === true ? 'good' : 'warn'),
    },
  ],
  fields: [
    id,
    name,
    { path: 'role', kind: 'select', label: 'admin.role', options: roles, required: true },
    { path: 'password', kind: 'password', label: 'admin.password', hint: 'admin.password.hint' },
  ],
};

const byName: Readonly<Record<string, Table>> = { agents, queues, calendars, templates, routes, users };

/** The table of a kind; agents for a name that is none. */
export function tableOf(kind: string): Table {
  return byName[kind] ?? agents;
}

export const pathOf = (table: Table, one: string) => `/${table.kind}/${encodeURIComponent(one)}`;
export const addressOf = (kind: string, one: string) => `/admin/${kind}/${encodeURIComponent(one)}`;
export const freshAddress = (kind: string) => `/admin/${kind}${query({ new: 1 })}`;
