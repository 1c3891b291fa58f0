import { describe, expect, it } from 'vitest';
import { at, placed, rowOf, same, set, toDocument, toForm, type Document, type Field, type RowValue } from '../src/screens/admin/field.ts';
import { faultsOf } from '../src/screens/admin/flows.ts';
import { indentAt, lineOfNode, rangeOf, shifted } from '../src/screens/admin/lines.ts';
import { lineOf, read, write } from '../src/screens/admin/outline.ts';
import { agents, calendars, queues, templates } from '../src/screens/admin/tables.ts';

const label = 'admin.name';
const reasons: Field = {
  path: 'reasons',
  kind: 'rows',
  label,
  fields: [
    { path: 'code', kind: 'text', label, required: true },
    { path: 'limit', kind: 'seconds', label },
  ],
};
const desk: readonly Field[] = [
  reasons,
  { path: 'tree', kind: 'tree', label },
  { path: 'pop.url', kind: 'text', label },
  { path: 'texts', kind: 'multi', label },
];

/** The object as a form would send it after these changes. */
function edited(fields: readonly Field[], was: Document, changes: Record<string, string | boolean | string[] | RowValue[]>) {
  return toDocument(fields, { ...toForm(fields, was), ...changes }, was);
}

describe('a form from a table of fields', () => {
  const agent = {
    id: '1001',
    name: '王芳',
    role: 'agent',
    extension: '',
    queues: ['repair'],
    skills: { repair: 5, sales: 2 },
    state: 'ready',
    since: null,
    later: { made: ['up'] },
  };
  const calendar = {
    id: 'shop',
    name: '门店',
    hours: { mon: ['09:00-12:00', '13:30-18:00'], fri: ['22:00-02:00'] },
    holidays: [{ date: '2026-10-01', name: '国庆' }],
    workdays: [{ date: '2026-10-10', hours: ['10:00-12:00'] }],
    override: { open: false, until: '2026-11-23T01:00:30.000Z', note: '盘点' },
  };
  const queue = { id: 'repair', name: '报修', strategy: 'linear', ring_timeout: 15.5, wrap_up: 0, overflow: { after: 120, to: 'vm' } };
  const template = { id: 'order', class: 'dispatch', text: ' {ref}\n接单 ', replies: { '1': '接单' } };

  it.each([
    ['agents', agents.fields, agent],
    ['calendars', calendars.fields, calendar],
    ['queues', queues.fields, queue],
    ['templates', templates.fields, template],
  ])('of %s gives back what nobody touched, and what it does not know', (_, fields, was) => {
    const { document, wrong } = edited(fields, was, {});
    expect(wrong).toEqual({});
    expect(document).toEqual(was);
  });

  it('writes what was changed and nothing else', () => {
    expect(edited(agents.fields, agent, { extension: ' 1002 ', queues: [], skills: 'repair: 7\nwater:1' }).document).toEqual({
      ...agent,
      extension: '1002',
      queues: [],
      skills: { repair: 7, water: 1 },
    });
    expect(edited(queues.fields, queue, { ring_timeout: '20', wrap_up: '' }).document).toEqual({
      id: 'repair',
      name: '报修',
      strategy: 'linear',
      ring_timeout: 20,
      overflow: { after: 120, to: 'vm' },
    });
    expect(agent.queues).toEqual(['repair']); // the object itself stays as it was
  });

  it('reads spans of time as people separate them, and closes an empty day', () => {
    const { document } = edited(calendars.fields, calendar, { 'hours.mon': '09:00-12:00,13:30-18:00', 'hours.sat': ' 10:00-12:00 ', 'hours.fri': '' });
    expect(document['hours']).toEqual({ mon: ['09:00-12:00', '13:30-18:00'], sat: ['10:00-12:00'], fri: [] });
  });

  it('takes an override away as a whole', () => {
    const { document } = edited(calendars.fields, calendar, { 'override.open': '' });
    expect(calendars.tidy?.(document)['override']).toBeNull();
    const set = edited(calendars.fields, { id: 'x' }, { 'override.open': 'true', 'override.until': '2026-11-23T09:00' }).document;
    expect(calendars.tidy?.(set)['override']).toEqual({ open: true, until: '2026-11-23T01:00:00.000Z' });
    expect(calendars.tidy?.({ id: 'x', override: null })).toEqual({ id: 'x', override: null });
  });

  it('never writes a password that nobody typed', () => {
    expect(edited(agents.fields, agent, { password: '' }).document).not.toHaveProperty('password');
    expect(edited(agents.fields, agent, { password: ' secret ' }).document).toHaveProperty('password', ' secret ');
  });

  it('names what is missing or cannot be read', () => {
    expect(edited(queues.fields, queue, { name: ' ', max_wait: '-1' }).wrong).toEqual({ name: 'admin.wrong.missing', max_wait: 'admin.wrong.number' });
    expect(edited(agents.fields, agent, { skills: 'repair 5' }).wrong).toEqual({ skills: 'admin.wrong.pairs' });
    expect(edited(agents.fields, agent, { skills: 'repair: much' }).wrong).toEqual({ skills: 'admin.wrong.pairs' });
  });

  it('keeps what it does not know in rows, too', () => {
    const was = { reasons: [{ code: 'lunch', limit: 60, more: 1 }, { code: 'break' }] };
    const [first, second] = toForm(desk, was)['reasons'] as RowValue[];
    const added = rowOf(reasons);
    if (!first || !second) throw new Error('rows are missing');
    const value = [{ ...second, form: { ...second.form, limit: '30' } }, first, { ...added, form: { ...added.form, code: 'tea' } }];
    const { document, wrong } = edited(desk, was, { reasons: value });
    expect(document).toEqual({ reasons: [{ code: 'break', limit: 30 }, { code: 'lunch', limit: 60, more: 1 }, { code: 'tea' }] });
    expect(wrong).toEqual({});
    expect(edited(desk, was, { reasons: [first, added] }).wrong).toEqual({ 'reasons[1].code': 'admin.wrong.missing' });
  });

  it('tells forms apart by what is in them', () => {
    const was = { reasons: [{ code: 'lunch' }] };
    expect(same(toForm(desk, was), toForm(desk, was))).toBe(true);
    expect(same(toForm(desk, was), toForm(desk, { reasons: [{ code: 'tea' }] }))).toBe(false);
  });

  it('leaves no empty object behind', () => {
    const document: Document = { pop: { url: 'x', open: 'tab' }, urge: { to: '1' } };
    set(document, 'pop.url', undefined);
    set(document, 'urge.to', undefined);
    set(document, 'a.b', 1);
    expect(document).toEqual({ pop: { open: 'tab' }, a: { b: 1 } });
    expect(at(document, 'pop.open')).toBe('tab');
    expect(at(document, 'urge.to')).toBeUndefined();
  });
});

describe('faults', () => {
  it('stand at their fields', () => {
    const told = [
      { location: 'body.reasons[1].limit', message: 'is too long' },
      { location: 'body.reasons[1].limit', message: 'is odd' },
      { location: 'body.reasons[0].colour', message: 'is unknown' },
      { location: 'body.tree[0].children[2].code', message: 'is taken' },
      { location: 'body.texts[0]', message: 'is no template' },
      { location: 'body.pop.url', message: 'is no link' },
      { location: 'body.popped', message: 'what?' },
      { location: 'body', message: 'all is wrong' },
    ];
    expect(placed(desk, told)).toEqual({
      at: {
        'reasons[1].limit': 'is too long; is odd',
        reasons: 'is unknown',
        tree: 'is taken',
        texts: 'is no template',
        'pop.url': 'is no link',
      },
      rest: ['popped: what?', 'all is wrong'],
    });
    expect(placed(agents.fields, [{ location: 'path.id', message: 'has blanks' }]).at).toEqual({ id: 'has blanks' });
    expect(placed(calendars.fields, [{ location: 'body.hours.mon[0]', message: 'is no span' }]).at).toEqual({ 'hours.mon': 'is no span' });
  });

  it('of a flow keep their lines', () => {
    expect(faultsOf([{ location: 'body.nodes.a.next', message: 'is no node', line: 4, column: 7 }, { location: 'body', message: 'no' }])).toEqual([
      { line: 4, column: 7, field: 'nodes.a.next', message: 'is no node' },
      { line: 0, column: 0, field: '', message: 'no' },
    ]);
  });
});

describe('a tree of subjects', () => {
  const tree = [
    { code: 'repair', name: '报修', children: [{ code: 'lift', name: '电梯', children: [{ code: 'door', name: '门 机' }] }, { code: 'air', name: '空调' }] },
    { code: 'wrong', name: '打错' },
  ];
  const text = 'repair 报修\n  lift 电梯\n    door 门 机\n  air 空调\nwrong 打错';

  it('goes to lines and back', () => {
    expect(write(tree)).toBe(text);
    expect(read(text)).toEqual({ subjects: tree, faults: [] });
    expect(read('')).toEqual({ subjects: [], faults: [] });
  });

  it('reads any depth, tabs, and empty lines', () => {
    expect(read('a A\n\t\tb B\n\nc C\n')).toEqual({ subjects: [{ code: 'a', name: 'A', children: [{ code: 'b', name: 'B' }] }, { code: 'c', name: 'C' }], faults: [] });
  });

  it('says which line is wrong', () => {
    expect(read('a A\n    b\n  c C').faults).toEqual([
      { line: 2, why: 'name' },
      { line: 3, why: 'indent' },
    ]);
  });

  it('knows the line that a fault means', () => {
    const at = (where: string) => lineOf(`\n${text}`, `body.dispositions${where}`);
    expect(at('[0].code')).toBe(2);
    expect(at('[0].children[0].children[0].name')).toBe(4);
    expect(at('[0].children[1].code')).toBe(5);
    expect(at('[1].name')).toBe(6);
    expect(at('[7].name')).toBe(0);
    expect(at('')).toBe(0);
  });
});

describe('lines of a text', () => {
  const text = 'id: a\nnodes:\n  "menu": {}\n  bye: {hangup: {}}';

  it('are found by number', () => {
    const line = (n: number) => text.slice(rangeOf(text, n).start, rangeOf(text, n).end);
    expect([1, 2, 3, 4, 5].map(line)).toEqual(['id: a', 'nodes:', '  "menu": {}', '  bye: {hangup: {}}', '']);
  });

  it('are found by node', () => {
    expect(['menu', 'bye', 'id', 'nothing'].map((node) => lineOfNode(text, node))).toEqual([3, 4, 0, 0]);
  });

  it('move in and out together', () => {
    const moved = (from: number, to: number, out: boolean) => {
      const { range, text: put } = shifted(text, from, to, out);
      return text.slice(0, range.start) + put + text.slice(range.end);
    };
    expect(moved(8, 20, false)).toBe('id: a\n  nodes:\n    "menu": {}\n  bye: {hangup: {}}');
    expect(moved(8, text.length, true)).toBe('id: a\nnodes:\n"menu": {}\nbye: {hangup: {}}');
    expect(indentAt(text, text.length)).toBe('  ');
    expect(indentAt(text, 3)).toBe('');
  });
});
