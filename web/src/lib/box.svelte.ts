// The one thing the screens share: who is logged in, what the box said last,
// and what can be asked of it.

import { api, ApiError } from './api.ts';
import { clock } from './clock.svelte.ts';
import type { AgentState, BoxEvent, Customer, Reason, Snapshot, User } from './contract.ts';
import * as feeds from './feed.ts';
import * as memory from './memory.ts';
import { people, type Person } from './people.ts';
import { BoxSocket, CommandFailed, socketAddress, type Line } from './socket.ts';
import { offsetOf } from './time.ts';

/** What went wrong last, for the dictionary. */
export interface Trouble {
  code: string;
  detail: string;
}

export class Box {
  user = $state.raw<User | null>(null);
  feed = $state.raw<feeds.Feed>(feeds.empty);
  line = $state<Line>('closed');
  /** The session ended without the user asking for it. */
  expired = $state(false);
  /** A command that had no success; shown until the next one. */
  trouble = $state.raw<Trouble | null>(null);
  /** The state that was asked for and not yet answered. */
  asking = $state<AgentState | ''>('');
  #socket: BoxSocket | undefined;
  #ring: ReturnType<typeof setTimeout> | undefined;
  #fetched: Record<string, true> = {};

  /** Why an agent may be not ready, as the site has it; empty until the box told. */
  reasons = $state.raw<readonly Reason[]>([]);
  /** Colleagues as they were when somebody last looked. */
  people = $state.raw<readonly Person[]>([]);
  /** The agent asked for a call and has no answer yet. */
  ordering = $state(false);
  readonly call = $derived(feeds.current(this.feed, clock.now));

  get isAgent(): boolean {
    return this.user?.role === 'agent';
  }

  /** Begins with a user who has just logged in, or whose cookie is still good. */
  begin(user: User): void {
    this.user = user;
    this.expired = false;
    this.feed = { ...feeds.empty, calls: memory.recall(user.user), who: user.user };
    this.#socket = new BoxSocket(socketAddress(location), {
      onLine: (line) => (this.line = line),
      onMessage: (message) => this.#take(message),
      since: () => this.feed.seq,
      mayRetry: () => this.#stillIn(),
    });
    this.#socket.open();
    void this.#loadReasons();
  }

  async #loadReasons(): Promise<void> {
    this.reasons = await api.reasons().catch(() => []);
  }

  /** Logs out at the box and here. */
  async leave(): Promise<void> {
    this.#end();
    memory.forget();
    await api.logout().catch(() => undefined); // the cookie dies with the session anyway
  }

  /** Connects now: after another tab took over, or when the network is back. */
  connect(): void {
    if (this.user && this.line !== 'open') this.#socket?.open();
  }

  /** Connects now if a retry is due later. */
  hurry(): void {
    if (this.line === 'waiting') this.connect();
  }

  /** Wishes for a state; workingAfterCall once more puts the end of wrap-up off. */
  async setState(state: AgentState, reason = ''): Promise<void> {
    this.asking = state;
    const result = await this.command('setAgentState', { state, ...(reason ? { reason } : {}) });
    if (result !== undefined) this.feed = feeds.replied(this.feed, result);
    this.asking = '';
  }

  /** Ends the own part in a call, or takes another's leg out of it. A ringing call is refused by it. */
  async hangUp(call: string, connection = ''): Promise<void> {
    await this.command('clearConnection', { call_id: call, ...(connection ? { connection_id: connection } : {}) });
  }

  /** A command that concerns a call, and nothing else. False where trouble says why not. */
  async control(cmd: CallCommand, call: string): Promise<boolean> {
    return (await this.command(cmd, { call_id: call })) !== undefined;
  }

  /** Has somebody rung while the outside party waits. */
  async consult(call: string, to: string, who: { agent: string; label: string }): Promise<boolean> {
    const made = (await this.command('consultationCall', { call_id: call, to })) as { connection_id?: string } | null | undefined;
    if (made?.connection_id) this.feed = feeds.withAsked(this.feed, call, made.connection_id, who, clock.now);
    if (made === undefined) this.trouble = unmoved(this.trouble);
    return made !== undefined;
  }

  /** Gives the outside party away without asking. */
  async send(call: string, to: string): Promise<boolean> {
    const done = (await this.command('singleStepTransfer', { call_id: call, to })) !== undefined;
    if (!done) this.trouble = unmoved(this.trouble);
    return done;
  }

  /** Presses keys, for the outside party to hear or for another connection. */
  async press(call: string, digits: string, connection = ''): Promise<void> {
    await this.command('generateDigits', { call_id: call, digits, ...(connection ? { connection_id: connection } : {}) });
  }

  /** Which of several customers with the number it is. */
  async choose(call: string, id: string): Promise<void> {
    const customer: Customer | null = await api.customer(id).catch(() => null);
    if (customer) this.feed = feeds.withCustomer(this.feed, call, customer);
  }

  /** Has a number dialled: the agent's own telephone rings first. False where trouble says why not. */
  async dial(to: string): Promise<boolean> {
    const number = to.trim();
    if (!number || this.ordering) return false;
    if (this.#onCall()) {
      this.trouble = { code: 'dial.in_call', detail: '' };
      return false;
    }
    this.ordering = true;
    const made = (await this.command('makeCall', { to: number })) as { call_id?: string } | null | undefined;
    this.ordering = false;
    if (made === undefined) this.trouble = this.#undialled();
    else if (made?.call_id) this.feed = feeds.withOrder(this.feed, made.call_id, number, clock.now);
    return made !== undefined;
  }

  /** Also while the telephone tells by a tone that a number was not reached. */
  #onCall(): boolean {
    return !!this.feed.me?.onCall || (!!this.call && !feeds.isEnded(this.call));
  }

  /** Why nothing was dialled, in a code of its own where the words differ. */
  #undialled(): Trouble | null {
    const why = this.trouble;
    if (!why || !['bad_args', 'no_phone', 'wrong_state'].includes(why.code)) return why;
    if (why.code === 'wrong_state' && this.feed.me?.state === 'loggedOff') return { ...why, code: 'dial.logged_off' };
    return { ...why, code: `dial.${why.code}` };
  }

  /** What was wrong is being put right. */
  forgive(): void {
    this.trouble = null;
  }

  dismiss(call: string): void {
    this.feed = feeds.dismissed(this.feed, call);
  }

  /** Loads the agents' grid. */
  async loadDesks(): Promise<void> {
    try {
      const desks = (await api.agents()).items ?? [];
      this.feed = feeds.withDesks(this.feed, desks); // the feed of now, not of before the wait
    } catch {
      // The grid keeps what it had; the feed goes on telling.
    }
  }

  /** Loads the colleagues who are logged in. False where that was not possible and none are known. */
  async loadPeople(): Promise<boolean> {
    try {
      this.people = (await people.all()).items ?? [];
    } catch {
      return this.people.length > 0;
    }
    return true;
  }

  /** What a colleague is called; the id where nobody has said. */
  nameOf(agent: string): string {
    return this.feed.desks[agent]?.name || this.people.find((one) => one.id === agent)?.name || agent;
  }

  /** Loads the telephone lines. */
  async loadLines(): Promise<void> {
    try {
      const lines = (await api.lines()).items ?? [];
      this.feed = feeds.withLines(this.feed, lines);
    } catch {
      // As with the grid.
    }
  }

  /** Asks the box over the socket for what no person waits for; a failure is a CommandFailed. */
  async order(cmd: string, args: Record<string, unknown>): Promise<unknown> {
    if (!this.#socket) throw new CommandFailed('offline');
    return this.#socket.send(cmd, args);
  }

  /** Tells the box what it may just as well not hear. */
  async tell(cmd: string, args: Record<string, unknown>): Promise<void> {
    await this.order(cmd, args).catch(() => undefined);
  }

  /** Asks the box for something over the socket. Undefined when it failed; then trouble says why. */
  async command(cmd: string, args: Record<string, unknown>): Promise<unknown> {
    this.trouble = null;
    try {
      return (await this.#socket?.send(cmd, args)) ?? null;
    } catch (why) {
      const failed = why instanceof CommandFailed ? why : new CommandFailed('unknown', String(why));
      this.trouble = { code: failed.code, detail: failed.message === failed.code ? '' : failed.message };
      return undefined;
    }
  }

  #take(message: Snapshot | BoxEvent): void {
    if (message.type === 'snapshot') clock.adjust(offsetOf(message.time, Date.now()));
    this.feed = feeds.receive(this.feed, message);
    if (this.trouble?.code === 'dial.in_call' && !this.#onCall()) this.trouble = null;
    void this.#complete();
    this.#watchRing();
    memory.keep(this.user?.user ?? '', this.call);
  }

  /** A card must not ring on when the telephone has stopped: the record is asked now and then. */
  #watchRing(): void {
    if (this.#ring !== undefined || this.call?.phase !== 'ringing') return;
    this.#ring = setTimeout(() => void this.#checkRing(), 3000);
  }

  async #checkRing(): Promise<void> {
    const call = this.call;
    if (call?.phase === 'ringing') {
      try {
        const record = await api.call(call.id);
        this.feed = feeds.checked(this.feed, record);
      } catch (why) {
        // A call that this agent may no longer see is somebody else's by now.
        if (why instanceof ApiError && why.fault === 'notFound') this.feed = feeds.lost(this.feed, call.id);
      }
    }
    this.#ring = undefined;
    this.#watchRing();
  }

  /** Fetches what a snapshot leaves out: the call being wrapped up, the customer's card. */
  async #complete(): Promise<void> {
    const me = this.feed.me;
    const wrapping = me?.state === 'workingAfterCall' && me.call && !this.call ? me.call : '';
    if (wrapping && this.#once(`call ${wrapping}`)) {
      const record = await api.call(wrapping).catch(() => null);
      if (record) this.feed = feeds.withCall(this.feed, feeds.fromRecord(record, me?.id));
    }
    const call = this.call;
    const talks = call?.phase === 'talking' || call?.phase === 'held';
    if (call && talks && this.#once(`talk of ${call.id} ${call.talk.own}`)) {
      const record = await api.call(call.id).catch(() => null);
      if (record) this.feed = feeds.withRecord(this.feed, record);
    }
    const named = call && [call.talk.by, call.talk.asked?.agent, ...call.talk.others.map((one) => one.agent)];
    if (named?.some((agent) => agent && this.nameOf(agent) === agent && this.#once(`name of ${agent}`))) void this.loadPeople();
    if (call && feeds.isStub(call.customer) && this.#once(`customer of ${call.id}`)) {
      const customer = await api.customer(call.customer.id ?? '').catch(() => null);
      if (customer) this.feed = feeds.withCustomer(this.feed, call.id, customer);
    }
  }

  #once(what: string): boolean {
    if (this.#fetched[what]) return false;
    this.#fetched[what] = true;
    return true;
  }

  async #stillIn(): Promise<boolean> {
    try {
      await api.me();
      return true;
    } catch (why) {
      if (!(why instanceof ApiError) || why.fault !== 'unauthorized') return true;
      this.#end();
      this.expired = true;
      return false;
    }
  }

  #end(): void {
    this.#socket?.close();
    this.#socket = undefined;
    clearTimeout(this.#ring);
    this.#ring = undefined;
    this.user = null;
    this.feed = feeds.empty;
    this.trouble = null;
    this.asking = '';
    this.ordering = false;
    this.reasons = this.people = [];
    this.#fetched = {};
  }
}

/** Commands that take a call and no more. */
export type CallCommand =
  | 'answerCall'
  | 'holdCall'
  | 'retrieveCall'
  | 'transferCall'
  | 'conferenceCall'
  | 'alternateCall'
  | 'reconnectCall'
  | 'pauseRecording'
  | 'resumeRecording';

/** Why nobody was asked or given the call, in a code of its own where the words differ. */
function unmoved(why: Trouble | null): Trouble | null {
  return why && ['bad_args', 'no_phone', 'wrong_state', 'not_found'].includes(why.code) ? { ...why, code: `transfer.${why.code}` } : why;
}

export const box = new Box();
