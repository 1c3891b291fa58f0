// Where in the application the page is: the address's path, and what follows it.

/** A screen's address with what its pattern names: /calls/:id gives { id }. */
export type Params = Record<string, string>;

/** The names that a pattern finds in a path; undefined where it is another page. */
export function match(pattern: string, path: string): Params | undefined {
  const wanted = parts(pattern);
  const given = parts(path);
  if (wanted.length !== given.length) return undefined;
  const params: Params = {};
  for (const [i, part] of wanted.entries()) {
    const value = given[i] ?? '';
    if (part.startsWith(':')) params[part.slice(1)] = decoded(value);
    else if (part !== value) return undefined;
  }
  return params;
}

function parts(path: string): string[] {
  return path.split('/').filter(Boolean);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // a stray %: as it stands
  }
}

class Route {
  #path = $state(location.pathname);
  #search = $state(location.search);

  constructor() {
    addEventListener('popstate', () => this.#read());
  }

  get path(): string {
    return this.#path;
  }

  /** What stands behind ? in the address. */
  get query(): URLSearchParams {
    return new URLSearchParams(this.#search);
  }

  /** Goes to a page of the application; replace leaves no step back. */
  go(address: string, replace = false): void {
    if (replace) history.replaceState(null, '', address);
    else history.pushState(null, '', address);
    this.#read();
    if (!replace) scrollTo(0, 0);
  }

  #read(): void {
    this.#path = location.pathname;
    this.#search = location.search;
  }
}

export const route = new Route();
