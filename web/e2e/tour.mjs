// Every screen, in both languages, against a running callbox (CALLBOX_URL):
// nothing that a screen reader would stumble over, nothing wider than a phone,
// and a picture of each in CALLBOX_SHOTS.

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { agent, env, logIn, noViolations, patience, setState, start, stop, supervisor, until, visit } from './page.mjs';

const url = (env.CALLBOX_URL ?? '').replace(/\/$/, '');
const shots = env.CALLBOX_SHOTS ?? 'test-results';
const admin = ['agents', 'queues', 'calendars', 'templates', 'flows', 'desk', 'lines', 'trunks', 'carriers', 'webhooks', 'keys', 'users'];
const shared = ['missed', 'calls', 'recordings', 'texts', 'chat'];
const agents = ['', ...shared, 'embed'];
const bosses = ['', ...shared, ...admin.map((section) => `admin/${section}`), 'admin/flows/hotline', 'wallboard'];

const views = [
  { name: 'zh-CN', locale: 'zh-CN', colorScheme: 'light' },
  { name: 'en', locale: 'en-GB', colorScheme: 'dark', narrow: true }, // its words are the longer ones
];

before(async () => {
  assert.ok(url, 'CALLBOX_URL is missing');
  await start(url);
});

const figures = {};

after(async () => {
  await stop();
  console.log(`figures ${JSON.stringify(figures)}`);
});

/** Milliseconds from the request to the first words on the page. */
function firstPaint(page) {
  return page.evaluate(() => Math.round(performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN));
}

/** What is wider than the window, but for what scrolls by itself. */
function wider() {
  return document.documentElement.scrollWidth - document.documentElement.clientWidth;
}

async function goTo(page, path) {
  await page.goto(`${url}/${path}`);
  await page.locator('main, .embed').first().waitFor();
  await until(() => page.locator('text=/正在载入|Loading/').count(), (n) => n === 0, `${path} loads`, 15_000);
}

async function look(page, path, view, who) {
  const name = `${who}-${path.replaceAll('/', '-') || 'start'}`;
  await goTo(page, path);
  await noViolations(page, `${view.name} /${path}`);
  await page.screenshot({ path: join(shots, view.name, `${name}.png`) });
}

async function picture(page, name, view) {
  await noViolations(page, `${view.name} ${name}`);
  await page.screenshot({ path: join(shots, view.name, `${name}.png`) });
}

/** What only shows with a call: the bar, the summary to file, the record, the sound. */
async function aCall(page, view) {
  await goTo(page, '');
  figures[`first_paint_desk_${view.name}_ms`] = await firstPaint(page);
  await setState(page, 'ready');
  await page.locator('section.bar .controls').waitFor({ timeout: patience });
  await picture(page, 'agent-call', view);
  await page.keyboard.press('Alt+t');
  await page.getByRole('dialog').waitFor();
  await picture(page, 'agent-transfer', view);
  await page.keyboard.press('Escape');
  await page.keyboard.press('Alt+x');
  await page.locator('.state.workingAfterCall').waitFor();
  await picture(page, 'agent-wrapup', view);
  await setState(page, 'notReady');
  await goTo(page, 'recordings');
  await page.locator('td button[aria-expanded]').first().click();
  await page.locator('.wave').waitFor();
  await until(() => page.locator('.wave').evaluate((stage) => stage.childElementCount), (n) => n > 0, 'the wave');
  await picture(page, 'agent-recording', view);
  await page.locator('td a').first().click();
  await page.locator('#steps-title').waitFor();
  await picture(page, 'agent-call-record', view);
}

async function tour(view, who, login, paths) {
  await mkdir(join(shots, view.name), { recursive: true });
  const { context, page } = await visit({ locale: view.locale, colorScheme: view.colorScheme, viewport: { width: 1366, height: 768 } });
  await page.locator('form').waitFor();
  figures[`first_paint_login_${view.name}_ms`] = await firstPaint(page);
  await noViolations(page, `${view.name} log-in`);
  if (who === 'agent') await page.screenshot({ path: join(shots, view.name, 'login.png') });
  await logIn(page, login);
  if (who === 'agent') await aCall(page, view);
  for (const path of paths) await look(page, path, view, who);
  await page.setViewportSize({ width: 390, height: 800 });
  for (const path of paths) {
    if (path === 'wallboard' || !view.narrow) continue; // a wallboard hangs on a wall
    await goTo(page, path);
    assert.ok((await page.evaluate(wider)) <= 0, `${view.name} /${path} is wider than a phone`);
  }
  assert.deepEqual(page.complaints, []);
  await context.close();
}

for (const view of views) {
  describe(`every screen in ${view.name}`, { timeout: 2 * patience + 120_000 }, () => {
    it('of an agent', () => tour(view, 'agent', agent, agents));
    it('of a supervisor', () => tour(view, 'supervisor', supervisor, bosses));
  });
}
