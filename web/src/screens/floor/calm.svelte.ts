// What changes five hundred times a second is looked at a few times a second.

/** A value that follows its source at most each `every` milliseconds; the first change of a quiet source at once. To be made in a component. */
export class Calm<T> {
  now = $state.raw() as T;
  #taken = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly source: () => T,
    every: number,
  ) {
    this.now = source();
    $effect(() => {
      source();
      this.#timer ??= setTimeout(() => this.#take(), Math.max(0, this.#taken + every - performance.now()));
    });
    $effect(() => () => clearTimeout(this.#timer));
  }

  #take(): void {
    this.#timer = undefined;
    this.#taken = performance.now();
    this.now = this.source();
  }
}
