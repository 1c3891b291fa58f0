// The page in a real browser: against a running callbox (CALLBOX_URL), or, by
// itself, against the stand-in of fake.mjs. README.md lists the settings.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { delimiter, join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { Fake } from './fake.mjs';

const env = process.env;
const shots = env.CALLBOX_SHOTS ?? fileURLToPath(new URL('../test-results', import.meta.url));
const patience = Number(env.CALLBOX_WAIT ?? (env.CALLBOX_URL ? 90 : 20)) * 1000;
const real = !!env.CALLBOX_URL;
const agent = login(env.CALLBOX_AGENT ?? '1001:wangfang');
const supervisor = login(env.CALLBOX_SUPERVISOR ?? 'boss:boss');
const onlyFake = real ? { skip: 'needs the stand-in' } : {};

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
let fake;
let url;
let axe;
const dialers = new Set();

before(async () => {
  await mkdir(shots, { recursive: true });
  axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  if (!real) {
    fake = await new Fake().start();
    fake.past();
  }
  url = real ? env.CALLBOX_URL.replace(/\/$/, '') : fake.url;
  browser = await chromium.launch({ executablePath: browserPath(), args: flags });
});

after(async () => {
  for (const one of dialers) one.kill();
  await browser?.close();
  await fake?.stop();
});

/** A new visitor. Whatever the browser complains about fails the test that uses it. */
async function visit(options = {}) {
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

async function open(context) {
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

async function logIn(page, { user, password }) {
  await page.locator('input[name=user]').fill(user);
  await page.locator('input[name=password]').fill(password);
  await page.locator('form button.primary').click();
  await page.locator('.choices, #agents-title').first().waitFor();
  await page.locator('.health .chip.good').last().waitFor();
}

/** A logged-in visitor for `work`, who leaves without a complaint. */
async function as(who, work, options) {
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

async function noViolations(page, where) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  const told = violations.flatMap((v) => v.nodes.map((n) => `${where}: ${v.id} ${n.target.join(' ')} ${n.failureSummary}`));
  assert.deepEqual(told, []);
}

async function shot(page, name) {
  await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
}

/** Makes a caller ring the agent: the stand-in's, or whatever CALLBOX_RING starts, or the demo's own. */
function ring(more) {
  if (fake) return fake.ring(agent.user, more);
  if (env.CALLBOX_RING) {
    const dialer = spawn(env.CALLBOX_RING, { shell: true, stdio: 'inherit' });
    dialers.add(dialer);
    dialer.on('exit', () => dialers.delete(dialer));
  }
  return '';
}

async function setState(page, state) {
  await page.locator(`.choices button.${state}`).click();
  await page.locator(`.choices button.${state}[aria-pressed=true]`).waitFor();
}

const seconds = (text) => text.trim().split(':').reduce((sum, part) => sum * 60 + Number(part), 0);

/** Waits until what `read` gives satisfies `good`; never sleeps and asserts. */
async function until(read, good, what, limit = patience) {
  const end = Date.now() + limit;
  let last;
  do {
    last = await read();
    if (good(last)) return last;
    await new Promise((done) => setTimeout(done, 100));
  } while (Date.now() < end);
  assert.fail(`${what}: still ${JSON.stringify(last)}`);
}

afterEach(endCalls);

async function endCalls() {
  if (!fake) return;
  for (const call of fake.calls) if (call.result === null) fake.hangUp(call.id);
  fake.state(agent.user, 'notReady');
}

describe('log-in', { timeout: patience + 30_000 }, () => {
  it('says in words what is wrong, and lets in who may', async () => {
    const { context, page } = await visit();
    await page.locator('form').waitFor();
    await noViolations(page, 'log-in');
    await page.locator('form button.primary').click();
    await page.getByText('Please enter user and password.').waitFor();
    await page.locator('input[name=user]').fill(agent.user);
    await page.locator('input[name=password]').fill('not this one');
    await page.locator('form button.primary').click();
    await page.getByText('User or password is wrong.').waitFor();
    await shot(page, 'login');
    await logIn(page, agent);
    await page.reload();
    await page.locator('.choices').waitFor(); // the cookie saves the log-in
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.locator('form').waitFor();
    await page.reload();
    await page.locator('form').waitFor();
    assert.deepEqual(page.complaints, []);
    await context.close();
  });

  it('speaks Chinese or English, and remembers which', async () => {
    const { context, page } = await visit({ locale: 'zh-CN' });
    await page.getByRole('button', { name: '登录' }).waitFor();
    assert.equal(await page.locator('html').getAttribute('lang'), 'zh-CN');
    await page.locator('select').selectOption('en');
    await page.getByRole('button', { name: 'Log in' }).waitFor();
    await page.reload();
    await page.getByRole('button', { name: 'Log in' }).waitFor();
    assert.equal(await page.locator('html').getAttribute('lang'), 'en');
    await context.close();
  });

  it('needs nothing from elsewhere', async () => {
    const { context, page } = await visit();
    const hosts = new Set();
    page.on('request', (request) => hosts.add(new URL(request.url()).host));
    await page.reload();
    await page.locator('form').waitFor();
    assert.deepEqual([...hosts], [new URL(url).host]);
    const headers = (await page.reload()).headers();
    assert.match(headers['content-security-policy'], /default-src 'self'/);
    await context.close();
  });
});

describe('the agent', { timeout: 3 * patience + 60_000 }, () => {
  it('changes state and sees the timer run', async () => {
    await as(agent, async (page) => {
      await setState(page, 'notReady');
      await page.locator('.state.notReady').waitFor();
      const timer = page.locator('.state .timer');
      const first = seconds(await timer.textContent());
      await until(async () => seconds(await timer.textContent()), (now) => now >= first + 2, 'timer');
      await setState(page, 'workingAfterCall');
      await page.locator('.state.workingAfterCall').waitFor();
      await setState(page, 'notReady');
      await noViolations(page, 'idle');
      await shot(page, 'idle');
    });
  });

  it('gets the card, talks, hangs up, wraps up and hears the recording', async () => {
    await as(agent, async (page) => {
      await setState(page, 'ready');
      const id = ring();
      const card = page.locator('.stage article');
      await card.waitFor({ timeout: patience });
      assert.notEqual((await card.locator('.number').textContent()).trim(), '');
      if (fake) {
        await page.locator('article.ringing').waitFor();
        const live = await page.locator('[aria-live=assertive]').textContent();
        assert.match(live, /Incoming call from 138 0013 8000 .*李雷/);
        await until(() => page.title(), (title) => title === 'Call: 138 0013 8000', 'title flashes');
        await until(() => page.title(), (title) => title === 'callbox', 'title flashes back');
        const text = await card.innerText();
        for (const told of ['浙江杭州', 'VIP', '报修', '8 sec', 'W20260309-017', 'KONE MonoSpace 500', 'Out of warranty', '更换门机皮带']) {
          assert.ok(text.includes(told), `the card does not say ${told}`);
        }
        assert.ok(text.indexOf('W20260309-017') < text.indexOf('KONE'), 'tickets come first');
        assert.equal(await card.locator('a.open').getAttribute('rel'), 'noopener noreferrer');
        await noViolations(page, 'ringing');
        await shot(page, 'ringing');
        fake.answer(id);
      }
      const bar = page.locator('section.bar');
      await bar.waitFor({ timeout: patience });
      assert.notEqual(await page.title(), 'Call: 138 0013 8000');
      const timer = bar.locator('.timer');
      await until(async () => seconds(await timer.textContent()), (now) => now >= 2, 'talk timer');
      assert.ok(await bar.getByRole('button', { name: 'Hold' }).isDisabled());
      assert.ok(await bar.getByRole('button', { name: 'Transfer' }).isDisabled());
      assert.ok(await bar.getByText(/Hold and transfer/).isVisible());
      // What is wished for during a call waits for its end.
      await page.locator('.choices button.workingAfterCall').click();
      await page.locator('.choices button.next .mark').waitFor();
      await noViolations(page, 'talking');
      await shot(page, 'talking');
      await bar.getByRole('button', { name: 'Hang up' }).click();
      await bar.waitFor({ state: 'detached' });
      await page.locator('article.over').waitFor();
      await page.locator('.state.workingAfterCall').waitFor();
      await noViolations(page, 'wrap-up');
      const play = page.locator('button.play').first();
      await play.waitFor();
      assert.equal(await page.locator('audio').count(), 0, 'nothing is loaded before the click');
      await play.click();
      await until(() => page.locator('audio').evaluate((a) => a.readyState), (ready) => ready >= 1, 'recording loads');
      await shot(page, 'wrap-up');
      await setState(page, 'notReady');
      await page.locator('article.over').waitFor({ state: 'detached' });
    });
  });

  it('sends a text and sees it delivered', async () => {
    await as(agent, async (page) => {
      await page.locator('input[name=to]').fill(env.CALLBOX_TEXT_TO ?? '13800138000');
      await page.locator('textarea[name=text]').fill('字'.repeat(71));
      await page.getByText('2 texts').waitFor();
      await page.locator('textarea[name=text]').fill('师傅明天上午九点到。');
      await page.getByText('1 text', { exact: true }).waitFor();
      await page.getByRole('button', { name: 'Send' }).click();
      const row = page.locator('ul[aria-live] li').first();
      await row.waitFor();
      if (fake) {
        assert.deepEqual(fake.orders.at(-1).to, ['13800138000']);
        const sent = fake.messages.at(-1);
        fake.textMoves(sent, 'submitted');
        await row.getByText('With the carrier').waitFor();
        fake.textMoves(sent, 'delivered');
      }
      await row.getByText('Delivered').waitFor({ timeout: patience });
      await noViolations(page, 'texts');
    });
  });

  it('is taken over by a second window, and takes back', async () => {
    await as(agent, async (page, context) => {
      const second = await open(context);
      await second.locator('.health .chip.good').last().waitFor();
      await page.getByText(/opened in another window/).waitFor();
      assert.ok(await page.locator('.choices button.ready').isDisabled());
      await page.getByRole('button', { name: 'Use here' }).click();
      await second.getByText(/opened in another window/).waitFor();
      await page.getByText(/opened in another window/).waitFor({ state: 'detached' });
      await noViolations(second, 'replaced');
    });
  });
});

describe('the agent, with the stand-in', { timeout: 180_000, ...onlyFake }, () => {
  const hostile = '<img src=x onerror="alert(1)">';

  it('sees hostile callers as text', async () => {
    await as(agent, async (page) => {
      const before = await page.locator('img, iframe').count();
      const id = ring({
        from: { e164: '', raw: `<script>alert(2)</script>\u202E${'9'.repeat(300)}`, name: hostile, place: `\u0007${hostile}` },
        customer: {
          id: 'x',
          name: `${hostile}\u202Ecod.exe${'长'.repeat(500)}`,
          vip: true,
          numbers: [hostile],
          devices: [{ model: hostile, [hostile]: hostile, warranty_until: hostile }],
          open_tickets: [{ ref: hostile, title: hostile, status: hostile, url: 'javascript:alert(3)' }],
          history: [{ time: hostile, kind: hostile, title: hostile }],
        },
        user_data: { pop_url: 'javascript:alert(4)', ivr_path: [hostile, { a: 1 }, hostile] },
      });
      const card = page.locator('article.ringing');
      await card.waitFor();
      const text = await card.innerText();
      assert.ok(text.includes(hostile), 'shown as it is');
      assert.ok(text.includes('<script>alert(2)</script>\uFFFD'), 'turning marks are shown as such');
      assert.ok(!text.includes('\u202E') && !text.includes('\u0007'));
      assert.ok((await card.locator('.name').textContent()).length <= 65, 'cut');
      assert.equal(await card.locator('a').count(), 0, 'no links to scripts');
      assert.equal(await page.locator('input[name=to]').inputValue(), '', 'no number to send to');
      assert.equal(await page.locator('img, iframe').count(), before);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'no sideways scrolling');
      await noViolations(page, 'hostile');
      await shot(page, 'hostile');
      fake.answer(id);
      await page.locator('section.bar').waitFor();
      fake.hangUp(id);
      fake.emit({ type: 'message', user_data: { from: hostile, text: hostile } });
      await page.locator('.note').getByText(hostile).first().waitFor();
      await until(async () => page.locator('tbody').innerText(), (t) => t.includes('<script>'), 'the list has the call');
      assert.equal(await page.locator('img, iframe').count(), before);
    });
    fake.calls = fake.calls.filter((c) => !c.from.raw.includes('script'));
  });

  it('goes on writing while the telephone rings', async () => {
    await as(agent, async (page) => {
      const words = page.locator('textarea[name=text]');
      await page.locator('input[name=to]').fill('13500000000');
      await words.pressSequentially('您好，');
      const id = ring();
      await page.locator('article.ringing').waitFor();
      await page.keyboard.type('师傅已出发');
      assert.equal(await words.inputValue(), '您好，师傅已出发');
      assert.equal(await page.locator('input[name=to]').inputValue(), '13500000000');
      assert.ok(await words.evaluate((node) => node === document.activeElement));
      await page.getByRole('button', { name: /Use the caller’s number/ }).click();
      assert.equal(await page.locator('input[name=to]').inputValue(), '+8613800138000');
      await page.getByRole('button', { name: 'Send' }).click();
      await until(() => fake.orders.at(-1), (order) => order?.ref === id && order.text === '您好，师傅已出发', 'order');
      fake.hangUp(id);
      await page.locator('article').waitFor({ state: 'detached' });
    });
  });

  it('lets go of a call that rings elsewhere, even when no event says so', async () => {
    await as(agent, async (page) => {
      const id = ring();
      await page.locator('article.ringing').waitFor();
      const call = fake.calls.find((c) => c.id === id);
      call.agent = { id: '1002', name: '赵敏' }; // this agent is told 404 now
      await page.locator('article.ringing').waitFor({ state: 'detached' });
    });
  });

  it('comes back after the connection breaks, with what was missed', async () => {
    await as(agent, async (page) => {
      fake.cut();
      await page.getByText(/Connection to callbox lost/).waitFor();
      const id = ring();
      await page.locator('article.ringing').waitFor();
      await page.getByText(/Connection to callbox lost/).waitFor({ state: 'detached' });
      fake.answer(id);
      await page.locator('section.bar').waitFor();
      await page.reload(); // the box knows, the page need not
      await page.locator('section.bar').waitFor();
      await page.getByText('KONE MonoSpace 500').waitFor(); // fetched anew
      fake.hangUp(id);
      await page.locator('section.bar').waitFor({ state: 'detached' });
    });
  });

  it('goes by the box’s clock', async () => {
    fake.skew = -7 * 60_000;
    fake.state(agent.user, 'notReady');
    await as(agent, async (page) => {
      const timer = page.locator('.state .timer');
      await until(async () => seconds(await timer.textContent()), (s) => s <= 8, 'not off by the skew');
    });
    fake.skew = 0;
    fake.state(agent.user, 'notReady');
  });

  it('is sent to the log-in when the session is over', async () => {
    await as(agent, async (page) => {
      fake.sessions.clear();
      fake.cut();
      await page.getByText('Your session has ended. Please log in again.').waitFor();
    });
  });

  it('reads in Chinese, in the dark, and on a small screen', async () => {
    const looks = [
      ['zh-light', { locale: 'zh-CN' }],
      ['zh-dark', { locale: 'zh-CN', colorScheme: 'dark' }],
      ['zh-small', { locale: 'zh-CN', viewport: { width: 400, height: 860 } }],
      ['zh-dark-small', { locale: 'zh-CN', colorScheme: 'dark', viewport: { width: 400, height: 860 } }],
    ];
    for (const [name, options] of looks) {
      await as(
        agent,
        async (page) => {
          fake.state(agent.user, 'ready');
          const id = ring();
          await page.locator('article.ringing').waitFor();
          await page.locator('tbody tr').first().waitFor();
          await page.getByText('接单').first().waitFor();
          await page.locator('textarea[name=text]').fill('您好，师傅今天下午两点到，请保持电话畅通。');
          await noViolations(page, `${name} ringing`);
          await shot(page, `${name}-ringing`);
          fake.answer(id);
          await page.locator('section.bar').waitFor();
          await noViolations(page, `${name} talking`);
          await shot(page, `${name}-talking`);
          fake.hangUp(id);
          await page.locator('article.over').waitFor();
          await noViolations(page, `${name} wrap-up`);
          await shot(page, `${name}-wrap-up`);
          const words = await page.locator('body').innerText();
          for (const name of ['notReady', 'workingAfterCall', 'loggedOff', 'submitted', 'abandoned']) {
            assert.ok(!words.includes(name), `${name} is no word for people`);
          }
          for (const word of ['示闲', '示忙', '话后整理', '报修']) assert.ok(words.includes(word), word);
          assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name}: scrolls sideways`);
        },
        options,
      );
    }
  });
});

describe('the supervisor', { timeout: patience + 60_000 }, () => {
  it('sees agents, queues and all calls', async () => {
    await as(supervisor, async (page) => {
      await page.locator('.desks li').first().waitFor();
      assert.ok((await page.locator('.desks').innerText()).includes(agent.user));
      await page.locator('section[aria-label=Queues] li').first().waitFor();
      await page.locator('#calls-title').waitFor();
      await noViolations(page, 'floor');
      await shot(page, 'floor');
    });
  });

  it('sees them move', onlyFake, async () => {
    await as(supervisor, async (page) => {
      fake.state(agent.user, 'ready');
      const desk = page.locator('.desks li').filter({ hasText: agent.user });
      await desk.getByText('空闲').waitFor();
      const id = ring();
      await desk.getByText('振铃').waitFor();
      fake.answer(id);
      await desk.getByText('通话中').waitFor();
      await page.getByText('与 王芳 通话').waitFor();
      fake.queue('repair', { waiting: 3, longest_wait: 31 });
      await noViolations(page, 'floor moving');
      await shot(page, 'zh-floor');
      fake.hangUp(id);
      await desk.getByText('话后整理').waitFor();
      await page.getByText('没有进行中的通话').waitFor();
      const sent = fake.text({ job: 'j9', to: '+8613700007777', status: 'submitted', ref: 'W9', text: '新工单W9' });
      fake.textMoves(sent, 'delivered');
      fake.reply(sent, '3', '完成');
      await page.locator('li').filter({ hasText: '新工单W9' }).getByText('完成').waitFor();
    }, { locale: 'zh-CN', colorScheme: 'dark' });
  });
});
