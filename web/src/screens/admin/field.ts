// A form as a table of fields: from an object to what stands in the form, and
// back. What the table does not name stays in the object as it was, and so does
// what nobody touched.

import type { Key } from '../../lib/i18n/translate.ts';
import * as outline from './outline.ts';

export type Kind =
  | 'text'
  | 'area'
  | 'number'
  | 'seconds'
  | 'select'
  | 'choice'
  | 'multi'
  | 'check'
  | 'password'
  | 'lines'
  | 'spans'
  | 'pairs'
  | 'levels'
  | 'moment'
  | 'date'
  | 'rows'
  | 'tree';

/** One thing to choose: what is kept, and what people read. */
export interface Option {
  value: string;
  name: string;
}

export interface Field {
  /** Where it is in the object, with dots: pop.url. */
  path: string;
  kind: Kind;
  label: Key;
  hint?: Key;
  /** Begins a group of fields under this heading. */
  group?: Key;
  required?: boolean;
  /** Is given once and never changed: an id. */
  fixed?: boolean;
  /** What may be chosen: words of this page, or objects of the box by their kind. */
  options?: () => readonly Option[];
  from?: string;
  /** In rows: wants more room than others. */
  wide?: boolean;
  /** The columns of rows. */
  fields?: readonly Field[];
}

/** One of several objects in a field: as it was, and what stands in the form. */
export interface RowValue {
  key: number;
  was: Document;
  form: Form;
}

export type Value = string | boolean | string[] | RowValue[];
export type Form = Record<string, Value>;
export type Document = Record<string, unknown>;

/** What is wrong, by the path of the field; what belongs to none is in rest. */
export interface Faults {
  at: Record<string, string>;
  rest: string[];
}

export const noFaults: Faults = { at: {}, rest: [] };

/** A fault as the box tells it (RFC 9457). */
export interface Told {
  location?: string;
  message?: string;
  line?: number;
  column?: number;
}

// ---- an object's value as it stands in a form

const text = (value: unknown) => (typeof value === 'string' || typeof value === 'number' ? String(value) : '');
const list = (value: unknown) => (Array.isArray(value) ? value : []);
const strings = (value: unknown) => list(value).map(text);
const object = (value: unknown): Document => (typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Document) : {});

let rows = 0;

/** A row of a field: an object that is there, or a new one. */
export function rowOf(field: Field, was: Document = {}): RowValue {
  return { key: ++rows, was, form: toForm(field.fields ?? [], was) };
}

/** RFC 3339 as an input of date and time has it, by this computer's clock. */
export function localMoment(value: unknown): string {
  const time = new Date(text(value));
  if (Number.isNaN(time.getTime())) return '';
  const two = (n: number) => String(n).padStart(2, '0');
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}T${two(time.getHours())}:${two(time.getMinutes())}`;
}

const readers: Record<Kind, (value: unknown, field: Field) => Value> = {
  text,
  area: text,
  number: text,
  seconds: text,
  select: text,
  date: text,
  password: () => '', // is never told
  choice: (value) => (value === undefined || value === null ? '' : String(value)),
  check: (value) => value === true,
  multi: strings,
  lines: (value) => strings(value).join('\n'),
  spans: (value) => strings(value).join(' '),
  pairs: (value) => pairsOf(value),
  levels: (value) => pairsOf(value),
  moment: localMoment,
  rows: (value, field) => list(value).map((one) => rowOf(field, object(one))),
  tree: (value) => outline.write(list(value) as outline.Subject[]),
};

function pairsOf(value: unknown): string {
  return Object.entries(object(value))
    .map(([name, one]) => `${name}: ${text(one)}`)
    .join('\n');
}

/** What stands in the form for an object. */
export function toForm(fields: readonly Field[], document: Document): Form {
  return Object.fromEntries(fields.map((field) => [field.path, readers[field.kind](at(document, field.path), field)]));
}

// ---- and back

/** What a form's value is in the object; undefined: it is left out. A string in wrong says why it is none. */
type Written = { value: unknown; wrong?: undefined } | { wrong: Key };

const gone: Written = { value: undefined };
const words = (value: Value) => (typeof value === 'string' ? value : '');
const split = (value: Value, by: RegExp) =>
  words(value)
    .split(by)
    .map((one) => one.trim())
    .filter(Boolean);

function number(value: Value): Written {
  const given = words(value).trim();
  if (given === '') return gone;
  const n = Number(given);
  return Number.isFinite(n) && n >= 0 ? { value: n } : { wrong: 'admin.wrong.number' };
}

function moment(value: Value): Written {
  const given = words(value);
  if (given === '') return gone;
  const time = new Date(given);
  return Number.isNaN(time.getTime()) ? { wrong: 'admin.wrong.moment' } : { value: time.toISOString() };
}

function pairs(value: Value, each: (text: string) => Written): Written {
  const out: Document = {};
  for (const line of split(value, /\n/)) {
    const [, name = '', rest = ''] = /^([^:：]*)[:：](.*)$/.exec(line) ?? [];
    const one = each(rest.trim());
    if (!name.trim() || !rest.trim() || one.wrong) return { wrong: 'admin.wrong.pairs' };
    out[name.trim()] = one.value;
  }
  return { value: out };
}

const trimmed = (value: Value): Written => ({ value: words(value).trim() || undefined });

const writers: Record<Kind, (value: Value, field: Field) => Written> = {
  text: trimmed,
  area: (value) => ({ value: words(value) || undefined }),
  select: trimmed,
  date: trimmed,
  password: (value) => ({ value: words(value) || undefined }),
  number,
  seconds: number,
  choice: (value) => (value === '' ? gone : { value: value === 'true' }),
  check: (value) => ({ value: value === true }),
  multi: (value) => ({ value }),
  lines: (value) => ({ value: split(value, /\n/) }),
  spans: (value) => ({ value: split(value, /[\s,,;;]+/) }),
  pairs: (value) => pairs(value, (one) => ({ value: one })),
  levels: (value) => pairs(value, number),
  moment,
  rows: () => gone, // is written row by row
  tree: (value) => {
    const read = outline.read(words(value));
    return read.faults.length > 0 ? { wrong: 'admin.wrong.tree' } : { value: read.subjects };
  },
};

/** The object with what the form says, and what in the form cannot be kept. */
export function toDocument(fields: readonly Field[], form: Form, was: Document): { document: Document; wrong: Record<string, Key> } {
  const document = structuredClone(was);
  const before = toForm(fields, was);
  const wrong: Record<string, Key> = {};
  for (const field of fields) {
    const value = form[field.path] ?? '';
    if (field.required && isEmpty(value)) wrong[field.path] = 'admin.wrong.missing';
    else if (!same(value, before[field.path])) put(document, field, value, wrong);
  }
  return { document, wrong };
}

function put(document: Document, field: Field, value: Value, wrong: Record<string, Key>): void {
  if (field.kind === 'rows') {
    set(document, field.path, writeRows(field, value as RowValue[], wrong));
    return;
  }
  const written = writers[field.kind](value, field);
  if (written.wrong) wrong[field.path] = written.wrong;
  else set(document, field.path, written.value);
}

function writeRows(field: Field, value: readonly RowValue[], wrong: Record<string, Key>): Document[] {
  return value.map((row, i) => {
    const one = toDocument(field.fields ?? [], row.form, row.was);
    for (const [path, why] of Object.entries(one.wrong)) wrong[`${field.path}[${i}].${path}`] = why;
    return one.document;
  });
}

function isEmpty(value: Value): boolean {
  return typeof value === 'string' ? value.trim() === '' : Array.isArray(value) && value.length === 0;
}

/** Whether two forms say the same. Rows are told by what is in them, not by their keys. */
export function same(a: unknown, b: unknown): boolean {
  const plain = (value: unknown) => JSON.stringify(value, (name, one: unknown) => (name === 'key' ? undefined : one));
  return plain(a) === plain(b);
}

/** The value at a path with dots. */
export function at(document: Document, path: string): unknown {
  return path.split('.').reduce<unknown>((value, name) => object(value)[name], document);
}

/** Puts a value at a path with dots; undefined takes it away, with what it leaves empty. */
export function set(document: Document, path: string, value: unknown): void {
  const [name = '', ...rest] = path.split('.');
  if (rest.length === 0) {
    if (value === undefined) Reflect.deleteProperty(document, name);
    else document[name] = value;
    return;
  }
  const inner = { ...object(document[name]) };
  set(inner, rest.join('.'), value);
  if (Object.keys(inner).length === 0) Reflect.deleteProperty(document, name);
  else document[name] = inner;
}

// ---- faults

/** Finds the field of each fault: its path, and for a row's field that with the row's number. */
export function placed(fields: readonly Field[], told: readonly Told[]): Faults {
  const faults: Faults = { at: {}, rest: [] };
  for (const { location = '', message = '' } of told) {
    const path = location.replace(/^(body|path)\.?/, '');
    const place = placeOf(fields, path);
    if (!place) faults.rest.push([path, message].filter(Boolean).join(': '));
    else faults.at[place] = [faults.at[place], message].filter(Boolean).join('; ');
  }
  return faults;
}

function placeOf(fields: readonly Field[], path: string): string {
  const field = fields
    .filter((one) => path === one.path || path.startsWith(`${one.path}.`) || path.startsWith(`${one.path}[`))
    .sort((a, b) => b.path.length - a.path.length)[0];
  if (!field) return '';
  const [, row, inner = ''] = /^\[(\d+)\]\.?(.*)$/.exec(path.slice(field.path.length)) ?? [];
  if (field.kind !== 'rows' || row === undefined) return field.path;
  const cell = placeOf(field.fields ?? [], inner);
  return cell ? `${field.path}[${row}].${cell}` : field.path;
}
