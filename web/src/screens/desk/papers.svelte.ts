// The calls that the agent writes up. Each has a paper of its own: the next
// call's pop puts another one beside it and touches nothing that was written.

import { api, ApiError } from '../../lib/api.ts';
import { box } from '../../lib/box.svelte.ts';
import type { CallRecord, Disposition } from '../../lib/contract.ts';
import { fromRecord, type LiveCall } from '../../lib/feed.ts';
import { desk, type KindCode, type Subject } from './desk.ts';
import { DraftKeeper, type Store } from './draft.svelte.ts';
import { chosen, kindOf, unchosen, type Choice } from './subjects.ts';

/** Papers that can lie open at once. */
const most = 5;

/** Whether a call has come so far that there is something to write. */
function isWork(call: LiveCall): boolean {
  return call.talked !== undefined || ['dialling', 'talking', 'held', 'over', 'failed'].includes(call.phase);
}

const final = ['notFound', 'forbidden', 'unauthorized', 'refused'];

function storeOf(user: string, call: string): Store {
  const where = `callbox.note.${user}.${call}`;
  return {
    read: () => desk.note(call),
    write: (text) => desk.keepNote(call, text),
    isFinal: (why) => why instanceof ApiError && final.includes(why.fault),
    held: () => {
      try {
        return sessionStorage.getItem(where);
      } catch {
        return null; // storage is forbidden: the box has all but the last moment
      }
    },
    hold: (text) => {
      try {
        if (text === null) sessionStorage.removeItem(where);
        else sessionStorage.setItem(where, text);
      } catch {
        // as above
      }
    },
  };
}

export class Paper {
  call = $state.raw() as LiveCall;
  choice = $state.raw<Choice>(unchosen);
  kind = $state<KindCode | ''>('');
  solved = $state<boolean | undefined>();
  /** What is written here is in the call's record. */
  filed = $state(false);
  readonly draft: DraftKeeper;
  /** The agent chose the kind; no disposition does it for him any more. */
  #kindSaid = false;

  constructor(call: LiveCall, user: string) {
    this.call = call;
    this.draft = new DraftKeeper(storeOf(user, call.id), user);
  }

  /** Nothing of it is the agent's own: it can be put away. */
  get untouched(): boolean {
    return this.filed || (this.draft.text === '' && this.choice.code === '');
  }

  async load(tree: readonly Subject[], user: string): Promise<void> {
    await this.draft.load();
    const before = await api.call(this.call.id).then((record) => record.disposition, () => null);
    if (!before || before.by !== user || this.choice.code) return;
    this.choice = chosen(tree, before.code);
    this.kind = (before.kind ?? '') as KindCode | '';
    this.solved = before.solved ?? undefined;
    this.draft.fill(before.note ?? '');
    this.filed = this.draft.mark !== 'unsaved' && this.draft.text === (before.note ?? '');
  }

  choose(choice: Choice, tree: readonly Subject[]): void {
    this.choice = choice;
    this.filed = false;
    if (!this.#kindSaid && choice.code) this.kind = kindOf(tree, choice.code) || this.kind;
  }

  be(kind: KindCode | ''): void {
    this.#kindSaid = true;
    this.kind = kind;
    this.filed = false;
  }

  solve(solved: boolean | undefined): void {
    this.solved = solved;
    this.filed = false;
  }

  write(text: string): void {
    this.draft.type(text);
    this.filed = false;
  }
}

class Papers {
  all = $state.raw<readonly Paper[]>([]);
  shown = $state.raw<Paper | undefined>();
  /** What was filed in this window, by the call: lists fetched before do not know. */
  filed = $state.raw<Readonly<Record<string, Disposition>>>({});
  #user = '';

  /** The call on the screen gets its paper; that one comes up unless the agent writes on another. */
  follow(call: LiveCall | undefined, tree: readonly Subject[], writing: boolean): void {
    if (!call || !isWork(call)) return;
    this.#own();
    const known = this.all.find((one) => one.call.id === call.id);
    if (known) {
      known.call = call;
      return;
    }
    if (!writing && this.shown?.untouched) this.shown = undefined;
    const paper = this.#add(call, tree);
    if (!writing || !this.shown) this.shown = paper;
  }

  /** Has a call that is over written up. */
  open(record: CallRecord, tree: readonly Subject[]): void {
    this.#own();
    const call = fromRecord(record, box.user?.user);
    this.shown = this.all.find((one) => one.call.id === call.id) ?? this.#add(call, tree);
  }

  #add(call: LiveCall, tree: readonly Subject[]): Paper {
    const user = box.user?.user ?? '';
    const paper = new Paper(call, user);
    void paper.load(tree, user);
    const kept = this.all.filter((one) => !one.untouched || one === this.shown);
    const gone = kept.slice(0, Math.max(0, kept.length - most + 1)).filter((one) => one !== this.shown);
    for (const one of gone) void one.draft.flush();
    this.all = [...kept.filter((one) => !gone.includes(one)), paper];
    return paper;
  }

  show(paper: Paper): void {
    void this.shown?.draft.flush();
    this.shown = paper;
  }

  /** Puts a paper away; what was written stays at the box. */
  close(paper: Paper): void {
    void paper.draft.flush();
    this.all = this.all.filter((one) => one !== paper);
    if (this.shown === paper) this.shown = this.all.at(-1);
  }

  /** Files the disposition with the note. False where box.trouble says why not. */
  async file(paper: Paper, code: string): Promise<boolean> {
    await paper.draft.stop();
    const { kind, solved, draft } = paper;
    const order = { call_id: paper.call.id, code, note: draft.text.trim(), ...(kind ? { kind } : {}), ...(solved === undefined ? {} : { solved }) };
    const done = (await box.command('dispose', order)) !== undefined;
    if (!done) draft.resume();
    else {
      draft.filed();
      paper.filed = true;
      this.filed = { ...this.filed, [paper.call.id]: { ...order, by: this.#user } };
    }
    return done;
  }

  /** Saves what is unsaved in any of them. */
  flush(): void {
    for (const one of this.all) void one.draft.flush();
  }

  /** What somebody else wrote in this window before is none of this agent's. */
  #own(): void {
    const user = box.user?.user ?? '';
    if (this.#user === user) return;
    this.#user = user;
    this.all = [];
    this.shown = undefined;
    this.filed = {};
  }
}

export const papers = new Papers();
