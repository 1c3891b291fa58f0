import { toNextSecond } from './time.ts';

/** The box's clock in whole seconds, so that all timers on a screen step at once. */
class Clock {
  /** Milliseconds of the box's time, on a full second. */
  now = $state(0);
  #offset = 0;

  constructor() {
    this.#tick();
  }

  /** Sets what to add to the browser's clock; the screens follow at once. */
  adjust(offset: number): void {
    this.#offset = offset;
    this.#read();
  }

  #read(): void {
    this.now = Math.round((Date.now() + this.#offset) / 1000) * 1000;
  }

  #tick(): void {
    this.#read();
    setTimeout(() => this.#tick(), toNextSecond(Date.now() + this.#offset));
  }
}

export const clock = new Clock();
