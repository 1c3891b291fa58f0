// A visitor of the page in Chromium, for the tests that drive it. README.md
// lists the settings.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

export const env = process.env;
const shots = env.CALLBOX_SHOTS ?? fileURLToPath(new URL('../test-results', import.meta.url));
/** How long something may take that people or carriers do. */
export const patience = Number(env.CALLBOX_WAIT ?? (env.CALLBOX_URL ? 90 : 20)) * 1000;
export const agent = login(env.CALLBOX_AGENT ?? '1001:wangfang');
export const supervisor = login(env.CALLBOX_SUPERVISOR ?? 'boss:boss');

function login(pair) {
  const at = pair.indexOf(':');
  return { user: pair.slice(0, at), password: pair.slice(at + 1) };
}

/** Chromium by CHROMIUM or in PATH. */
function browserPath() {
  if (env.CHROMIUM) return env.CHROMIUM;
  const names = ['chromium', 'chromium-browser', 'google-chrome'];
  for (const folder of (env.PATH ?? '').split(delimiter)) {
    for (const name of names) {
      const path = join(folder, name);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {
        // not here
      }
    }
  }
  throw new Error(`none of ${names.join(', ')} in PATH; set CHROMIUM`);
}

const flags = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--mute-audio',
  '--use-fake-ui-for-media-stream',
  '--use-fake-device-for-media-stream',
  '--autoplay-policy=no-user-gesture-required',
  '--allow-loopback-in-peer-connection',
  '--disable-background-timer-throttling',
  '--disable-renderer-backgrounding',
  '--disable-backgrounding-occluded-windows',
];

let browser;
let url;
let axe;
const running = new Set();

/** Starts the browser for the page at `address`, with more flags where a test needs them. */
export async function start(address, more = []) {
  await mkdir(shots, { recursive: true });
  axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  url = address;
  browser = await chromium.launch({ executablePath: browserPath(), args: [...flags, ...more] });
}

/** Ends the browser and what {@link run} started. */
export async function stop() {
  for (const one of running) process.kill(-one.pid);
  await browser?.close();
}

/** Starts a shell command beside the tests. */
export function run(command) {
  const child = spawn(command, { shell: true, stdio: 'inherit', detached: true });
  running.add(child);
  child.on('exit', () => running.delete(child));
  return child;
}

/** A new visitor. Whatever the browser complains about fails the test that uses it. */
export async function visit(options = {}) {
  const context = await browser.newContext({
    locale: 'en-GB',
    colorScheme: 'light',
    reducedMotion: 'reduce',
    viewport: { width: 1366, height: 900 },
    ...options,
  });
  context.setDefaultTimeout(20_000);
  const page = await open(context);
  return { context, page };
}

export async function open(context) {
  const page = await context.newPage();
  page.complaints = [];
  page.on('pageerror', (why) => page.complaints.push(String(why)));
  page.on('console', (said) => {
    // A refused request is told by the browser, too; the page tells it in words.
    if (said.type() === 'error' && !/Failed to load resource|WebSocket connection to/.test(said.text())) page.complaints.push(said.text());
  });
  page.on('dialog', (dialog) => {
    page.complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.goto(url);
  return page;
}

export async function logIn(page, { user, password }) {
  await page.locator('input[name=user]').fill(user);
  await page.locator('input[name=password]').fill(password);
  await page.locator('form button.primary').click();
  await page.locator('.choices, #agents-title').first().waitFor();
  await page.locator('.health .chip.good').last().waitFor();
}

/** A logged-in visitor for `work`, who leaves without a complaint. */
export async function as(who, work, options) {
  const { context, page } = await visit(options);
  try {
    await logIn(page, who);
    await work(page, context);
    assert.deepEqual(page.complaints, []);
  } catch (why) {
    await shot(page, `failed-${Date.now()}`).catch(() => undefined);
    throw why;
  } finally {
    await context.close();
  }
}

export async function noViolations(page, where) {
  await page.evaluate(axe);
  // Without preloading: axe would put styles of its own into the page, which its policy forbids.
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'], preload: false }));
  const told = violations.flatMap((v) => v.nodes.map((n) => `${where}: ${v.id} ${n.target.join(' ')} ${n.failureSummary}`));
  assert.deepEqual(told, []);
}

export async function shot(page, name) {
  await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
}

export async function setState(page, state) {
  await page.locator(`.choices button.${state}`).click();
  await page.locator(`.choices button.${state}[aria-pressed=true]`).waitFor();
}

export const seconds = (text) => text.trim().split(':').reduce((sum, part) => sum * 60 + Number(part), 0);

/** Waits until what `read` gives satisfies `good`; never sleeps and asserts. */
export async function until(read, good, what, limit = patience) {
  const end = Date.now() + limit;
  let last;
  do {
    last = await read();
    if (good(last)) return last;
    await new Promise((done) => setTimeout(done, 100));
  } while (Date.now() < end);
  assert.fail(`${what}: still ${JSON.stringify(last)}`);
}
