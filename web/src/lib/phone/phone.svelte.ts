// The telephone in the page: a microphone, one connection to the box that stays
// through all calls, an ear. states.ts says how it stands; here is what follows.

import { box } from '../box.svelte.ts';
import { CommandFailed } from '../socket.ts';
import { keep, kept, type Choice } from './choice.ts';
import { look, noWatch, silence, told, watch, type Watch } from './figures.ts';
import { Link } from './link.ts';
import { meter } from './meter.ts';
import { obstacleOf, refusalOf, type Obstacle } from './obstacle.ts';
import { Ring } from './ring.ts';
import { canChooseOutput, devices, sendTo } from './sound.ts';
import { isUsable, next, patience, type Event, type State } from './states.ts';

/** Seconds between two looks at the statistics, and looks between two reports of them. */
const lookEvery = 1;
const tellEvery = 10;

class Phone {
  state = $state<State>('off');
  choice = $state.raw<Choice>(kept());
  /** Why there is no microphone, or what the box refused; '' for nothing. */
  why = $state<Obstacle | 'refused' | 'unbuilt' | ''>('');
  muted = $state(false);
  /** Which side of the talk has not been heard for three seconds. */
  silent = $state<'' | 'received' | 'mic'>('');
  /** The browser plays nothing until somebody clicks. */
  hushed = $state(false);
  /** Of the microphone, 0 to 1, while somebody looks. */
  level = $state(0);
  inputs = $state.raw<MediaDeviceInfo[]>([]);
  outputs = $state.raw<MediaDeviceInfo[]>([]);
  readonly canChooseOutput = canChooseOutput();

  #mic: MediaStream | undefined;
  #link: Link | undefined;
  #ear: HTMLAudioElement | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #looking: ReturnType<typeof setInterval> | undefined;
  #tries = 0;
  #watch: Watch = noWatch;
  #metered: (() => void) | undefined;
  #lookers = 0;
  readonly #ring = new Ring();
  readonly #tabs = typeof BroadcastChannel === 'undefined' ? undefined : new BroadcastChannel('callbox.phone');
  readonly #tab = Math.random().toString(36).slice(2);

  constructor() {
    // A window that offers takes the telephone from those that the box cannot tell so: who has an open line
    // hears it there, or is the one that stays.
    this.#tabs?.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
      if (typeof data === 'string' && data !== this.#tab && box.line !== 'open') this.hear('replaced');
    });
    navigator.mediaDevices?.addEventListener?.('devicechange', () => this.#replugged());
    void this.#watchPermission();
    addEventListener('pagehide', () => this.#drop());
  }

  get usable(): boolean {
    return isUsable(this.state);
  }

  /** The telephone of the page is the one wanted here. */
  get wanted(): boolean {
    return this.choice.use === 'page';
  }

  /** The microphone in use, in the browser's words. */
  get device(): string {
    return this.#mic?.getAudioTracks()[0]?.label ?? '';
  }

  hear(event: Event): void {
    const before = this.state;
    const after = next(before, event);
    if (after === before) return;
    clearTimeout(this.#timer);
    if (event === 'late') this.#tries++;
    if (after === 'up') this.#tries = 0;
    this.state = after;
    const limit = patience(after, this.#tries);
    if (limit !== undefined) this.#timer = setTimeout(() => this.hear('late'), limit);
    this.#follow(after);
  }

  #follow(state: State): void {
    if (state === 'asking') void this.#ask();
    else if (state === 'offering') void this.#offer();
    else if (state === 'off' || state === 'away') this.#drop();
    else if (state === 'up') this.why = '';
  }

  /** The agent's choice of telephone, kept in this browser. */
  async use(use: Choice['use']): Promise<void> {
    this.#choose({ use });
    if (use === 'page') return this.hear('want');
    const had = this.state !== 'off';
    this.hear('leave');
    if (had) await box.tell('media.close', {});
  }

  #choose(part: Partial<Choice>): void {
    this.choice = { ...this.choice, ...part };
    keep(this.choice);
  }

  /** Speaks by another microphone, also during a call. */
  async speakBy(input: string): Promise<void> {
    this.#choose({ input });
    if (!this.#mic) return;
    this.#hush();
    const mic = await this.#open();
    const track = mic?.getAudioTracks()[0];
    if (track && this.#link) await this.#link.speakBy(track);
    else if (!track) this.hear('deaf');
  }

  async hearBy(output: string): Promise<void> {
    this.#choose({ output });
    if (this.#ear) await sendTo(this.#ear, output);
  }

  ringBy(ring: string): void {
    this.#choose({ ring });
  }

  mute(muted: boolean): void {
    this.muted = muted;
    for (const track of this.#mic?.getAudioTracks() ?? []) track.enabled = !muted;
  }

  /** Rings, or stops. */
  ring(rings: boolean): void {
    if (rings) this.#ring.start(this.choice.ring);
    else this.#ring.stop();
  }

  /** A click has been made: what the browser kept from playing may play. */
  unhush(): void {
    if (this.#ear) void this.#play(this.#ear);
  }

  /** Shows the microphone's level until the answer is called; asks for the microphone if need be. */
  look(): () => void {
    this.#lookers++;
    this.#measure();
    void this.#list();
    return () => {
      this.#lookers--;
      this.#measure();
    };
  }

  /** Watches a talk from now on, and tells the box of it. */
  attend(call: string): () => void {
    this.#watch = noWatch;
    let looks = 0;
    this.#looking = setInterval(() => void this.#examine(call, ++looks % tellEvery === 0), lookEvery * 1000);
    return () => {
      clearInterval(this.#looking);
      this.silent = '';
      this.mute(false);
    };
  }

  async #examine(call: string, tell: boolean): Promise<void> {
    if (!this.#link) return;
    const now = look(await this.#link.rows().catch(() => []), performance.now());
    this.#watch = watch(this.#watch, now, this.muted);
    this.silent = silence(this.#watch);
    if (tell) await box.tell('media.stats', told(now, call, this.device));
  }

  // ---- the microphone

  async #ask(): Promise<void> {
    this.#unlink();
    const live = this.#mic?.getAudioTracks().some((track) => track.readyState === 'live');
    const mic = live ? this.#mic : await this.#open();
    if (this.state !== 'asking') return;
    this.hear(mic ? 'mic' : 'deaf');
  }

  /** Opens the microphone that was chosen, else any; why says why not. */
  async #open(): Promise<MediaStream | undefined> {
    const obstacle = obstacleOf(window);
    if (obstacle) {
      this.why = obstacle;
      return undefined;
    }
    try {
      this.#mic = await this.#get(this.choice.input);
    } catch (why) {
      this.why = refusalOf(why);
      return undefined;
    }
    this.why = '';
    for (const track of this.#mic.getAudioTracks()) {
      track.enabled = !this.muted;
      track.addEventListener('ended', () => this.#unplugged(track));
    }
    void this.#list();
    this.#measure();
    return this.#mic;
  }

  async #get(input: string): Promise<MediaStream> {
    const audio = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
    try {
      return await navigator.mediaDevices.getUserMedia({ audio: input ? { ...audio, deviceId: { exact: input } } : audio });
    } catch (why) {
      const gone = refusalOf(why);
      if (!input || (gone !== 'unplugged' && gone !== 'none')) throw why;
      return navigator.mediaDevices.getUserMedia({ audio }); // the headset stayed at home
    }
  }

  /** A device came or went. */
  #replugged(): void {
    void this.#list();
    if (this.state === 'deaf' && this.why !== 'denied') this.hear('want');
  }

  /** What was denied may be allowed in the browser's settings at any time. */
  async #watchPermission(): Promise<void> {
    const name = 'microphone' as PermissionName;
    const permission = await navigator.permissions?.query({ name }).catch(() => undefined);
    permission?.addEventListener('change', () => {
      if (permission.state === 'granted' && this.state === 'deaf') this.hear('want');
    });
  }

  #unplugged(track: MediaStreamTrack): void {
    if (!this.#mic?.getAudioTracks().includes(track)) return;
    this.#hush();
    void this.#open().then((mic) => {
      const other = mic?.getAudioTracks()[0];
      if (!other) this.hear('deaf');
      else void this.#link?.speakBy(other);
    });
  }

  #hush(): void {
    const tracks = this.#mic?.getAudioTracks() ?? [];
    this.#mic = undefined;
    for (const track of tracks) track.stop();
    this.#measure();
  }

  #measure(): void {
    this.#metered?.();
    this.#metered = undefined;
    this.level = 0;
    if (this.#mic && this.#lookers > 0) this.#metered = meter(this.#mic, (level) => (this.level = level));
  }

  async #list(): Promise<void> {
    if (!navigator.mediaDevices) return;
    const { inputs, outputs } = await devices();
    this.inputs = inputs;
    this.outputs = outputs;
  }

  // ---- the connection

  async #offer(): Promise<void> {
    const track = this.#mic?.getAudioTracks()[0];
    if (!track || !this.#mic) return this.hear('deaf');
    this.#tabs?.postMessage(this.#tab);
    const link = new Link(track, this.#mic, (way) => this.#link === link && this.hear(way));
    this.#link = link;
    try {
      await link.open(async (sdp) => ((await box.order('media.offer', { sdp })) as { sdp: string }).sdp);
    } catch (why) {
      if (this.#link === link) this.#refused(why);
      return;
    }
    if (this.#link !== link) return;
    await this.#listen(link.sound);
    if (this.state === 'offering') this.hear('taken');
  }

  #refused(why: unknown): void {
    const code = why instanceof CommandFailed ? why.code : '';
    if (code === 'offline' || code === 'timeout') return; // the line's return offers again
    this.why = code === 'not_supported' ? 'unbuilt' : 'refused';
    this.hear('refused');
  }

  async #listen(sound: MediaStream): Promise<void> {
    const ear = (this.#ear ??= new Audio());
    ear.srcObject = sound;
    await sendTo(ear, this.choice.output);
    void this.#play(ear);
  }

  async #play(ear: HTMLAudioElement): Promise<void> {
    try {
      await ear.play();
      this.hushed = false;
    } catch (why) {
      this.hushed = why instanceof DOMException && why.name === 'NotAllowedError';
    }
  }

  #unlink(): void {
    this.#link?.close();
    this.#link = undefined;
  }

  #drop(): void {
    this.#unlink();
    this.#hush();
    this.#ring.stop();
    if (this.#ear) this.#ear.srcObject = null;
  }
}

export const phone = new Phone();
