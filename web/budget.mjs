// Fails where the built pages have grown beyond what a browser should fetch:
// 60 KB compressed before the first screen, 90 KB for any part fetched later.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const limits = { entry: 60 * 1024, part: 90 * 1024 };
const app = new URL('dist/app/', import.meta.url).pathname;
const sizes = new Map(
  readdirSync(join(app, 'assets'))
    .filter((name) => /\.(js|css)$/.test(name))
    .map((name) => [name, gzipSync(readFileSync(join(app, 'assets', name))).length]),
);

/** What a script imports at once, with all that follows from it. */
function needs(name, found = new Set()) {
  if (found.has(name) || !sizes.has(name)) return found;
  found.add(name);
  if (!name.endsWith('.js')) return found;
  const source = readFileSync(join(app, 'assets', name), 'utf8');
  for (const [, next] of source.matchAll(/(?:from|import)\s*["']\.\/([^"']+)["']/g)) needs(next, found);
  return found;
}

const page = readFileSync(join(app, 'index.html'), 'utf8');
const entry = new Set();
for (const [, name] of page.matchAll(/assets\/([^"']+)/g)) needs(name, entry);
const words = [...sizes].filter(([name]) => /^(en|zh-CN|index)-/.test(name) && !entry.has(name) && name.endsWith('.js'));
const language = Math.max(0, ...words.map(([, size]) => size));
const total = [...entry].reduce((sum, name) => sum + sizes.get(name), 0) + language;
const [largest, most] = [...sizes].sort((a, b) => b[1] - a[1])[0];

const kb = (bytes) => `${(bytes / 1024).toFixed(1)} KB`;
console.log(`entry ${kb(total)} (of it the words of a language ${kb(language)}), largest part ${largest} ${kb(most)}`);
if (total > limits.entry || most > limits.part) {
  console.error(`too large: ${kb(limits.entry)} and ${kb(limits.part)} are allowed`);
  process.exit(1);
}
