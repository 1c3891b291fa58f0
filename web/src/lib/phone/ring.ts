// The ring of the telephone in the page, made of two tones: there is no file to
// fetch when it matters.

import { sendTo } from './sound.ts';

/** Two short strokes and a pause, in seconds. */
const stroke = 0.4;
const gap = 0.2;
const period = 3;

/** Rings on an output device until it is stopped. */
export class Ring {
  #audio: AudioContext | undefined;
  #out: MediaStreamAudioDestinationNode | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** Begins; again while it rings changes nothing. */
  start(device: string): void {
    if (this.#timer !== undefined) return;
    this.#timer = setInterval(() => this.#strike(), period * 1000);
    void this.#open(device);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    void this.#audio?.close();
    this.#audio = this.#out = undefined;
  }

  // A context plays on the system's output only; what leads through an element can go to another device.
  async #open(device: string): Promise<void> {
    const audio = new AudioContext();
    const player = new Audio();
    this.#audio = audio;
    this.#out = audio.createMediaStreamDestination();
    player.srcObject = this.#out.stream;
    await sendTo(player, device);
    await Promise.all([player.play(), audio.resume()]).catch(() => undefined); // the browser may want a click first
    this.#strike();
  }

  #strike(): void {
    const [audio, out] = [this.#audio, this.#out];
    if (!audio || !out || audio.state !== 'running') return;
    for (const at of [0, stroke + gap]) tone(audio, out, audio.currentTime + 0.05 + at);
  }
}

/** One stroke of two tones, soft at both ends. */
function tone(audio: AudioContext, out: AudioNode, at: number): void {
  const loud = audio.createGain();
  loud.gain.setValueAtTime(0, at);
  loud.gain.linearRampToValueAtTime(0.25, at + 0.03);
  loud.gain.setValueAtTime(0.25, at + stroke - 0.05);
  loud.gain.linearRampToValueAtTime(0, at + stroke);
  loud.connect(out);
  for (const pitch of [587.33, 783.99]) {
    const one = new OscillatorNode(audio, { frequency: pitch, type: 'triangle' });
    one.connect(loud);
    one.start(at);
    one.stop(at + stroke);
  }
}
