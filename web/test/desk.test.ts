import { flushSync, mount, unmount } from 'svelte';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import CustomerCard from '../src/components/CustomerCard.svelte';
import Filing from '../src/screens/desk/Filing.svelte';
import { box } from '../src/lib/box.svelte.ts';
import { handOver, numberOf, takeOver } from '../src/lib/dialled.ts';
import { fromRecord, type LiveCall } from '../src/lib/feed.ts';
import { language } from '../src/lib/i18n/language.svelte.ts';
import { again, DraftKeeper, longest, pause, type Store } from '../src/screens/desk/draft.svelte.ts';
import { fillLink, valuesOf } from '../src/screens/desk/links.ts';
import { Paper, papers } from '../src/screens/desk/papers.svelte.ts';
import { hasNumber, historyOf, isPast } from '../src/screens/desk/rows.ts';
import { settings } from '../src/screens/desk/settings.svelte.ts';
import { chosen, folder, kindOf, pick, press, unchosen, up, wayTo } from '../src/screens/desk/subjects.ts';
import { fillText, known, wanted } from '../src/screens/desk/templates.ts';
import { mayAnswer, standing } from '../src/screens/texts/texting.ts';

await language.use('zh-CN');

function call(more: Partial<LiveCall> = {}): LiveCall {
  const bare = fromRecord({ id: 'c1', direction: 'in', result: null, from: { e164: '+8613800138000' }, to: {}, times: {} });
  return { ...bare, phase: 'talking', talked: 1, ...more };
}

describe('a link', () => {
  const link = 'https://t.example/new?k={kind}&c={call_id}&n={number}&u={customer_name}#{agent}';

  it('is filled in percent-encoded', () => {
    const values = valuesOf(call({ customer: { id: 'k1', name: '王 &=#/?\u202E' } }), '1001', 'repair');
    expect(fillLink(link, values)).toBe('https://t.example/new?k=repair&c=c1&n=%2B8613800138000&u=%E7%8E%8B%20%26%3D%23%2F%3F%E2%80%AE#1001');
    expect(fillLink('https://t.example/{ticket}/x', { ticket: '../../admin' })).toBe('https://t.example/..%2F..%2Fadmin/x');
    expect(fillLink('https://t.example/a/{ticket}/x', { ticket: '..' })).toBe('https://t.example/a//x');
    expect(fillLink('https://t.example/{ticket}', { ticket: "\uD800'(" })).toBe('https://t.example/%EF%BF%BD%27%28');
  });

  it('has nothing filled into its host, and is none of another kind', () => {
    expect(fillLink('https://{number}.example/', { number: 'evil' })).toBe('');
    expect(fillLink('https://a@{number}/', { number: 'evil' })).toBe('');
    expect(fillLink('javascript:alert({number})', { number: '1' })).toBe('');
    expect(fillLink('', {})).toBe('');
    expect(fillLink('https://t.example/{constructor}', {})).toBe('https://t.example/');
  });
});

describe('the tree of subjects', () => {
  const tree = [
    { code: 'repair', name: '报修', children: [{ code: 'lift', name: '电梯', children: null }, { code: 'water', name: '水电', children: [{ code: 'leak', name: '漏水' }] }] },
    { code: 'wrong', name: '打错' },
  ];

  it('is walked by digits', () => {
    let choice = press(tree, unchosen, '1');
    expect(choice).toEqual({ path: ['repair'], code: '' });
    choice = press(tree, choice ?? unchosen, '2');
    expect(folder(tree, choice?.path ?? []).map((one) => one.code)).toEqual(['leak']);
    choice = press(tree, choice ?? unchosen, '1');
    expect(choice).toEqual({ path: ['repair', 'water'], code: 'leak' });
    expect(press(tree, choice ?? unchosen, '1'), 'chosen already: the same key does not take it back').toBeUndefined();
    expect(press(tree, choice ?? unchosen, '0')).toEqual({ path: ['repair'], code: '' });
    expect(press(tree, unchosen, '3')).toBeUndefined();
    expect(press(tree, unchosen, '0')).toBeUndefined();
    expect(press(tree, unchosen, 'a')).toBeUndefined();
  });

  it('lets go by a second click, and by going up', () => {
    const wrong = tree[1] ?? { code: '', name: '' };
    expect(pick(pick(unchosen, wrong), wrong)).toEqual(unchosen);
    expect(up({ path: ['repair'], code: 'lift' })).toEqual(unchosen);
  });

  it('knows the way to a code, and the kind that it means', () => {
    expect(wayTo(tree, 'leak').map((one) => one.name)).toEqual(['报修', '水电', '漏水']);
    expect(chosen(tree, 'leak')).toEqual({ path: ['repair', 'water'], code: 'leak' });
    expect(chosen(tree, 'gone')).toEqual({ path: [], code: 'gone' });
    expect(kindOf(tree, 'leak')).toBe('repair');
    expect(kindOf(tree, 'wrong')).toBe('');
    expect(folder(tree, ['gone']), 'a folder that was taken away').toBe(tree);
  });
});

describe('a draft', () => {
  let at: string[];
  let held: string | null;
  let fails: unknown;
  let store: Store;

  beforeEach(() => {
    vi.useFakeTimers();
    at = [];
    held = null;
    fails = undefined;
    store = {
      read: async () => ({ text: '', by: '' }),
      write: async (text) => {
        if (fails) throw fails;
        at.push(text);
      },
      isFinal: (why) => why === 'final',
      held: () => held,
      hold: (text) => (held = text),
    };
  });
  afterEach(() => vi.useRealTimers());

  it('is saved a moment after the last word, once', async () => {
    const draft = new DraftKeeper(store, '1001');
    await draft.load();
    expect(draft.mark).toBe('empty');
    draft.type('漏');
    draft.type('漏水');
    expect(draft.mark).toBe('unsaved');
    expect(held).toBe('漏水');
    await vi.advanceTimersByTimeAsync(pause - 1);
    expect(at).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(at).toEqual(['漏水']);
    expect(draft.mark).toBe('saved');
    expect(held, 'nothing is held that the box has').toBeNull();
  });

  it('does not wait for ever for a silence', async () => {
    const draft = new DraftKeeper(store, '1001');
    await draft.load();
    for (let gone = 0; gone < longest; gone += 500) {
      draft.type(`${gone}`);
      await vi.advanceTimersByTimeAsync(500);
    }
    expect(at.length).toBe(1);
  });

  it('is tried again, and what was typed meanwhile is what is saved', async () => {
    const draft = new DraftKeeper(store, '1001');
    await draft.load();
    fails = 'for now';
    draft.type('一');
    await vi.advanceTimersByTimeAsync(pause);
    expect(draft.mark).toBe('failed');
    fails = undefined;
    draft.type('一二');
    await vi.advanceTimersByTimeAsync(again);
    expect(at).toEqual(['一二']);
    fails = 'final';
    draft.type('三');
    await vi.advanceTimersByTimeAsync(pause);
    expect(draft.mark).toBe('refused');
    fails = undefined;
    await vi.advanceTimersByTimeAsync(again * 2);
    expect(at, 'a refusal is not tried again').toEqual(['一二']);
  });

  it('outlives a reload in the moment before it was saved', async () => {
    held = '未及保存';
    const draft = new DraftKeeper(store, '1001');
    await draft.load();
    expect(draft.text).toBe('未及保存');
    await vi.advanceTimersByTimeAsync(pause);
    expect(at).toEqual(['未及保存']);
  });

  it('is not overwritten by what the box sends late, and says whose words it goes on with', async () => {
    store.read = () => new Promise((done) => setTimeout(() => done({ text: '同事写的', by: '1002' }), 1000));
    const first = new DraftKeeper(store, '1001');
    const loading = first.load();
    first.type('我写的');
    await vi.advanceTimersByTimeAsync(1000);
    await loading;
    expect(first.text).toBe('我写的');
    held = null;
    const second = new DraftKeeper(store, '1001');
    const loads = second.load();
    await vi.advanceTimersByTimeAsync(1000);
    await loads;
    expect([second.text, second.from, second.mark]).toEqual(['同事写的', '1002', 'saved']);
  });

  it('writes no more while it is filed', async () => {
    const draft = new DraftKeeper(store, '1001');
    await draft.load();
    draft.type('写完');
    await draft.stop();
    await vi.advanceTimersByTimeAsync(pause * 2);
    expect(at).toEqual([]);
    draft.filed();
    expect([draft.mark, held]).toEqual(['saved', null]);
    draft.type('再写');
    await vi.advanceTimersByTimeAsync(pause);
    expect(at).toEqual(['再写']);
  });
});

describe('papers', () => {
  beforeEach(() => {
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('no network here')));
    box.user = { user: '1001', role: 'agent', name: '王芳' };
  });
  afterEach(() => {
    for (const one of papers.all) void one.draft.stop();
    papers.all = [];
    papers.shown = undefined;
    sessionStorage.clear();
  });

  it('the next call’s lies beside the one that is written on', () => {
    papers.follow(call(), [], false);
    papers.shown?.write('半句');
    const first = papers.shown;
    papers.follow(call({ id: 'c2' }), [], true);
    expect(papers.all.map((one) => one.call.id)).toEqual(['c1', 'c2']);
    expect(papers.shown).toBe(first);
    expect(first?.draft.text).toBe('半句');
    papers.follow(call({ id: 'c3' }), [], false);
    expect(papers.shown?.call.id).toBe('c3');
    expect(papers.all[0]).toBe(first);
    expect(sessionStorage.getItem('callbox.note.1001.c1')).toBe('半句');
  });

  it('is for calls that came about, and an untouched one makes room', () => {
    papers.follow(call({ phase: 'ringing', talked: undefined }), [], false);
    papers.follow(undefined, [], false);
    expect(papers.all).toEqual([]);
    papers.follow(call(), [], false);
    papers.follow(call({ phase: 'over', ended: 2 }), [], false);
    papers.follow(call({ id: 'c2' }), [], false);
    papers.follow(call({ id: 'c2', phase: 'over' }), [], false);
    papers.follow(call({ id: 'c3' }), [], false);
    expect(papers.all.map((one) => one.call.id)).toEqual(['c3']);
    papers.shown?.choose({ path: [], code: 'wrong' }, []);
    papers.follow(call({ id: 'c4' }), [], false);
    expect(papers.all.map((one) => one.call.id)).toEqual(['c3', 'c4']);
  });

  it('another agent in this window does not see them', () => {
    papers.follow(call(), [], false);
    papers.shown?.write('秘密');
    box.user = { user: '1002', role: 'agent', name: '李强' };
    papers.follow(call({ id: 'c9' }), [], false);
    expect(papers.all.map((one) => one.call.id)).toEqual(['c9']);
  });
});

describe('filing', () => {
  let shown: Record<string, unknown> | undefined;
  const tree = [{ code: 'repair', name: '<b>报修</b>', children: [{ code: 'lift', name: '电梯' }] }, { code: 'wrong', name: '打错' }];

  beforeEach(() => {
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('no network here')));
    settings.now = { ...settings.now, dispositions: tree, kinds: [{ code: 'repair', name: '报修' }, { code: 'consult', name: '问事' }] };
    document.body.replaceChildren();
  });
  afterEach(() => shown && void unmount(shown));

  function show(paper: Paper): HTMLElement {
    shown = mount(Filing, { target: document.body, props: { paper, busy: false, onfile: () => undefined } });
    flushSync();
    return document.body;
  }

  function type(key: string, target: EventTarget = document.body): void {
    target.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
    flushSync();
  }

  it('goes by digits, but not where something is typed', () => {
    const paper = new Paper(call(), '1001');
    const body = show(paper);
    const field = body.appendChild(document.createElement('textarea'));
    type('1', field);
    expect(paper.choice.path).toEqual([]);
    type('1');
    type('1');
    expect([paper.choice.code, paper.kind]).toEqual(['lift', 'repair']);
    expect(body.innerText).toContain('<b>报修</b>');
    expect(body.querySelectorAll('b')).toHaveLength(0);
  });

  it('calls kinds as the site does, and keeps the one that the agent chose', () => {
    const paper = new Paper(call(), '1001');
    expect(show(paper).innerText).toContain('问事');
    paper.be('consult');
    paper.choose({ path: ['repair'], code: 'lift' }, tree);
    expect(paper.kind).toBe('consult');
  });
});

describe('the customer’s rows', () => {
  it('part what was bought from what was done', () => {
    const parted = historyOf({ history: [{ kind: 'purchase', title: 'a' }, { kind: '维修', title: 'b' }, { kind: '购买', title: 'c' }, null as never] });
    expect(parted.purchases.map((row) => row['title'])).toEqual(['a', 'c']);
    expect(parted.services.map((row) => row['title'])).toEqual(['b']);
  });

  it('know a number in any writing, and a warranty that is over', () => {
    expect(hasNumber(['+8613800138000'], '13800138000')).toBe(true);
    expect(hasNumber(['0571-8888 0001'], '+8657188880001')).toBe(true);
    expect(hasNumber(['13800138000'], '13800138001')).toBe(false);
    expect(hasNumber([7 as never, null as never], '')).toBe(false);
    expect(isPast('2021-03-15', Date.parse('2026-01-01'))).toBe(true);
    expect(isPast('soon', 0)).toBeUndefined();
  });

  it('offer no click outside of a call', () => {
    document.body.replaceChildren();
    const card = mount(CustomerCard, { target: document.body, props: { customer: { id: 'k', open_tickets: [{ ref: 'W1', engineer_phone: '13500000000' }] } } });
    flushSync();
    expect(document.querySelectorAll('button')).toHaveLength(0);
    expect(document.body.innerText).toContain('135 0000 0000');
    void unmount(card);
  });
});

describe('texts at hand', () => {
  it('are filled with what is known, and say what is not', () => {
    const facts = known(call({ customer: { name: '李雷', open_tickets: [{ ref: 'W1', engineer: '老张' }] } }), '王芳');
    const template = '{customer},{engineer}将于{time}上门,工单{ref},{number} {ack}';
    expect(wanted(template)).toEqual(['customer', 'engineer', 'time', 'ref', 'number']);
    expect(fillText(template, facts)).toBe('李雷,老张将于{time}上门,工单W1,13800138000 {ack}');
    expect(fillText('{constructor}', {})).toBe('{constructor}');
  });
});

describe('incoming texts', () => {
  const text = { id: 'i', time: '', from: '+86', text: '' };

  it('stand open, taken or answered; what another agent took is his', () => {
    expect(standing(text)).toBe('open');
    expect(standing({ ...text, job: 'j' })).toBe('matched');
    expect(standing({ ...text, job: 'j', claimed_by: '1002' })).toBe('claimed');
    expect(standing({ ...text, claimed_by: '1002', answer: 'j' })).toBe('answered');
    expect(mayAnswer({ ...text, claimed_by: '1002' }, '1001', true)).toBe(false);
    expect(mayAnswer({ ...text, claimed_by: '1002' }, 'boss', false)).toBe(true);
  });
});

describe('a number out of a link', () => {
  it('is a number and nothing else', () => {
    expect(numberOf('tel:+86-138-0013-8000')).toBe('+8613800138000');
    expect(numberOf('tel:%2B8613800138000;ext=1')).toBe('+8613800138000');
    expect(numberOf('TEL://0571 8888 0001')).toBe('057188880001');
    expect(numberOf('web+tel:1')).toBe('');
    expect(numberOf('tel:javascript')).toBe('');
    expect(numberOf('%E0%A4%A')).toBe('');
    expect(numberOf(null)).toBe('');
  });

  it('goes to the window that has the desk, where there is one', async () => {
    expect(await handOver('13800138000')).toBe(false);
    const taken: string[] = [];
    const end = takeOver((number) => taken.push(number) > 0);
    expect(await handOver('13800138000')).toBe(true);
    expect(taken).toEqual(['13800138000']);
    end();
  });
});
