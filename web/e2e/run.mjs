// The page in a real browser: against a running callbox (CALLBOX_URL), or, by
// itself, against the stand-in of fake.mjs. README.md lists the settings.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { customer, Fake } from './fake.mjs';
import { agent, as, env, logIn, noViolations, open, patience, run, seconds, setState, shot, start, stop, supervisor, until, visit } from './page.mjs';

const real = !!env.CALLBOX_URL;
const onlyFake = real ? { skip: 'needs the stand-in' } : {};

let fake;
let url;

before(async () => {
  if (!real) {
    fake = await new Fake().start();
    fake.past();
  }
  url = real ? env.CALLBOX_URL.replace(/\/$/, '') : fake.url;
  await start(url);
});

after(async () => {
  await stop();
  await fake?.stop();
});

/** Makes a caller ring the agent: the stand-in's, or whatever CALLBOX_RING starts, or the demo's own. */
function ring(more) {
  if (fake) return fake.ring(agent.user, more);
  if (env.CALLBOX_RING) run(env.CALLBOX_RING);
  return '';
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
      // What cannot be done is there, and says why.
      const mute = bar.getByRole('button', { name: /^Mute/ });
      assert.equal(await mute.getAttribute('aria-disabled'), 'true');
      assert.match(await mute.getAttribute('title'), /mute there/);
      await bar.getByRole('button', { name: 'Hold' }).click();
      await bar.getByText('On hold for').waitFor();
      await bar.getByRole('button', { name: 'Take back' }).click();
      await bar.getByText('On hold for').waitFor({ state: 'detached' });
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

  it('answers by a key, and steers the call by keys', async () => {
    await as(agent, async (page) => {
      const words = page.locator('textarea[name=text]');
      await words.pressSequentially('您好');
      const id = ring();
      const card = page.locator('article.ringing');
      await card.getByRole('button', { name: 'Answer' }).waitFor();
      await card.getByRole('button', { name: 'Reject' }).waitFor();
      await page.keyboard.press('Alt+a');
      const bar = page.locator('section.bar');
      await bar.waitFor();
      assert.equal(await words.inputValue(), '您好');
      await bar.getByText('Recording', { exact: true }).waitFor(); // known from the record
      await bar.getByRole('button', { name: 'Pause recording' }).click();
      await bar.getByText('Recording paused').waitFor();
      await bar.getByRole('button', { name: 'Resume recording' }).click();
      await page.keyboard.press('Alt+h');
      await bar.getByText('On hold for').waitFor();
      await page.reload();
      await bar.getByText('On hold for').waitFor(); // by the record
      await page.keyboard.press('Alt+h');
      await bar.getByText('On hold for').waitFor({ state: 'detached' });
      await page.keyboard.press('Alt+k');
      const keypad = page.getByRole('dialog', { name: 'Keypad' });
      await keypad.getByRole('button', { name: '5' }).click();
      await page.keyboard.press('#');
      await until(() => keypad.locator('output').textContent(), (text) => text === '5#', 'keys');
      assert.deepEqual(fake.heard.filter((h) => h.cmd === 'generateDigits').map((h) => h.args.digits), ['5', '#']);
      await noViolations(page, 'keypad');
      await shot(page, 'keypad');
      await page.keyboard.press('Escape');
      await keypad.waitFor({ state: 'detached' });
      await page.goto(`${url}/calls`); // the bar is on every screen
      await bar.waitFor();
      await page.keyboard.press('?');
      await page.getByRole('dialog', { name: 'Keys' }).getByText('Alt+T').waitFor();
      await noViolations(page, 'keys');
      await page.keyboard.press('Escape');
      await page.keyboard.press('Alt+x');
      await bar.waitFor({ state: 'detached' });
      assert.equal(fake.calls.find((c) => c.id === id).hangup_side, 'agent');
      const second = ring();
      await page.locator('section.strip').getByRole('button', { name: 'Reject' }).click();
      await until(() => fake.calls.find((c) => c.id === second).result, (result) => result !== null, 'refused');
    });
  });

  it('asks a colleague, swaps, joins all three, and gives the call away', async () => {
    await as(agent, async (page) => {
      fake.state('1002', 'ready');
      const id = ring();
      await page.locator('article.ringing').waitFor();
      fake.answer(id);
      const bar = page.locator('section.bar');
      await bar.waitFor();
      await page.keyboard.press('Alt+t');
      const panel = page.getByRole('dialog', { name: 'Transfer' });
      await panel.getByRole('button', { name: 'Ask first: 赵敏' }).waitFor();
      await noViolations(page, 'transfer');
      await shot(page, 'transfer');
      await panel.getByRole('searchbox').fill('nobody here');
      await panel.getByText('Nobody found.').waitFor();
      await panel.getByRole('searchbox').fill('138 0013 9000');
      await panel.getByRole('button', { name: 'Ask first: 13800139000' }).waitFor();
      await panel.getByRole('searchbox').fill('赵');
      await panel.getByRole('button', { name: 'Ask first: 赵敏' }).click();
      await panel.waitFor({ state: 'detached' });
      await bar.getByText('Calling 赵敏…').waitFor();
      assert.equal(await bar.getByRole('button', { name: 'Swap' }).getAttribute('aria-disabled'), 'true');
      await bar.getByRole('button', { name: 'Cancel transfer' }).waitFor();
      fake.joins(id);
      await bar.getByText('You talk to 赵敏; the caller hears music').waitFor();
      await noViolations(page, 'consulting');
      await shot(page, 'consulting');
      await bar.getByRole('button', { name: 'Swap' }).click();
      await bar.getByText('You talk to the caller; 赵敏 waits').waitFor();
      await bar.getByRole('button', { name: 'Swap' }).click();
      await bar.getByText('You talk to 赵敏; the caller hears music').waitFor();
      await bar.getByRole('button', { name: 'Cancel transfer' }).click();
      await bar.getByRole('button', { name: 'Swap' }).waitFor({ state: 'detached' });
      await bar.getByText('Talking').waitFor();
      await page.keyboard.press('Alt+t');
      await panel.getByRole('button', { name: 'Ask first: 赵敏' }).click();
      fake.joins(id);
      await bar.getByRole('button', { name: 'Join all three' }).click();
      await bar.getByText('Also in the call:').waitFor();
      await bar.getByRole('button', { name: 'Take 赵敏 out of the call' }).waitFor();
      await noViolations(page, 'three');
      await shot(page, 'three');
      await page.keyboard.press('Alt+t');
      await panel.getByRole('button', { name: 'Transfer now: 购买咨询' }).click();
      await bar.waitFor({ state: 'detached' });
      assert.deepEqual(fake.heard.findLast((h) => h.cmd === 'singleStepTransfer').args, { call_id: id, to: 'sales' });
    });
    fake.state('1002', 'loggedOff');
  });

  it('is not ready for a reason, and sees wrap-up end', async () => {
    await as(agent, async (page) => {
      await page.getByRole('button', { name: 'Not ready, with a reason' }).click();
      await noViolations(page, 'reasons');
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('Enter'); // the second: the site's own
      await until(() => fake.heard.at(-1).args, (args) => args.state === 'notReady' && args.reason === 'visit', 'reason');
      const since = new Date(Date.now() - 1_900_000).toISOString();
      const tell = (type, user_data) => fake.emit({ type, agent_id: agent.user, user_data });
      tell('agentNotReady', { state: 'notReady', reason: 'lunch', since });
      await page.locator('.state.late').getByText('lunch').waitFor();
      await page.locator('.state').getByText(/^over 1:4/).waitFor();
      await shot(page, 'late');
      tell('agentWorkingAfterCall', { state: 'workingAfterCall', until: new Date(Date.now() + 30_000).toISOString() });
      await page.getByText(/^ends in 0:[23]/).waitFor();
      await page.getByRole('button', { name: 'More time' }).click();
      await until(() => fake.heard.at(-1).args.state, (state) => state === 'workingAfterCall', 'more time');
      await noViolations(page, 'wrap-up ends');
    });
  });

  it('is told why the telephone in the page is not there', async () => {
    await as(agent, async (page) => {
      await page.getByRole('button', { name: /Choose devices/ }).click();
      const panel = page.getByRole('dialog', { name: 'My telephone' });
      await panel.getByRole('button', { name: 'Telephone in this browser' }).click();
      await panel.getByText('This callbox has no telephone for browsers.').waitFor(); // this one has not
      await noViolations(page, 'my telephone');
      await shot(page, 'my-telephone');
      await panel.getByRole('button', { name: 'Telephone on the desk' }).click();
      await page.keyboard.press('Escape');
      await page.locator('.health').getByText('Desk telephone connected').waitFor();
    });
  });

  it('dials, and is told why nobody answers', async () => {
    await as(agent, async (page) => {
      const words = page.locator('textarea[name=text]');
      const dial = page.locator('input[name=dial]');
      const last = async () => until(() => fake.calls.at(-1), (call) => call?.direction === 'out' && call.result === null, 'the call');
      await page.keyboard.press('Alt+c');
      await page.keyboard.type('none');
      await page.keyboard.press('Enter');
      await page.getByText('This is not a number that can be dialled.').waitFor();
      assert.equal(await dial.getAttribute('aria-invalid'), 'true');
      await noViolations(page, 'bad number');
      await dial.fill('');
      await page.getByText('This is not a number that can be dialled.').waitFor({ state: 'detached' });
      fake.desks[agent.user].phone = false;
      await dial.fill('138 0013 8000');
      await dial.press('Enter');
      await page.getByText('Your telephone is not connected; it would ring first.').waitFor();
      fake.desks[agent.user].phone = true;
      await dial.press('Enter');
      const card = page.locator('.stage article');
      await card.getByText('Pick up your telephone; then the number is dialled.').waitFor();
      assert.equal(await page.title(), 'callbox', 'only who calls us makes the title flash');
      await words.fill('您好，');
      fake.pickUp((await last()).id);
      const bar = page.locator('section.bar');
      await bar.getByText('Calling the number').waitFor();
      await noViolations(page, 'dialling');
      await shot(page, 'dialling');
      await dial.fill('10086');
      await dial.press('Enter');
      await page.getByText('You are in a call. Dial when it is over.').waitFor();
      fake.fail(fake.calls.at(-1).id, 'busy');
      await card.getByText('The number is busy').waitFor();
      await page.getByText('You are in a call. Dial when it is over.').waitFor({ state: 'detached' });
      await page.locator('tbody').getByText('The number is busy').first().waitFor();
      await noViolations(page, 'failed');
      await shot(page, 'failed-busy');
      // The number on the card dials again.
      await card.locator('h2').getByRole('button', { name: /138 0013 8000/ }).click();
      fake.pickUp((await last()).id);
      fake.answer(fake.calls.at(-1).id);
      await bar.getByText('Talking').waitFor();
      await card.getByText('outgoing').waitFor();
      await page.getByText('李雷').first().waitFor();
      assert.equal(await words.inputValue(), '您好，', 'what was written stays');
      fake.hangUp(fake.calls.at(-1).id);
      await page.locator('article.over').waitFor();
      // So does one in the list.
      await page.locator('tbody').getByRole('button', { name: /139 5711 2233/ }).first().click();
      await card.getByText('139 5711 2233').waitFor();
      fake.pickUp((await last()).id);
      fake.fail(fake.calls.at(-1).id, 'notFound');
      await card.getByText('The number does not exist').waitFor();
      await card.waitFor({ state: 'detached' }); // by itself
    });
  });

  it('sees who calls on the own telephone, late, and what was missed', async () => {
    await as(agent, async (page) => {
      const card = page.locator('.stage article');
      const words = page.locator('textarea[name=text]');
      let id = fake.ringOwn(agent.user);
      await card.getByText('The number is coming…').waitFor();
      await noViolations(page, 'no number yet');
      await words.pressSequentially('师傅');
      fake.learn(id, { e164: '+8613800138000', raw: '13800138000', place: '浙江杭州' });
      await card.getByText('138 0013 8000').waitFor();
      await page.keyboard.type('明天到');
      fake.learn(id, { e164: '+8613800138000', raw: '13800138000', place: '浙江杭州' }, customer);
      await card.getByText('KONE MonoSpace 500').waitFor();
      await page.keyboard.type('。');
      assert.equal(await page.locator('input[name=to]').inputValue(), '+8613800138000', 'filled in late');
      assert.equal(await words.inputValue(), '师傅明天到。');
      assert.ok(await words.evaluate((node) => node === document.activeElement));
      await noViolations(page, 'own telephone rings');
      await shot(page, 'own-ringing');
      fake.answer(id);
      const bar = page.locator('section.bar');
      await bar.getByText(/hang up there/).waitFor();
      assert.equal(await bar.getByRole('button').count(), 0, 'nothing to press');
      await noViolations(page, 'own telephone talks');
      await page.reload();
      await bar.getByText(/hang up there/).waitFor();
      fake.hangUp(id);
      await page.locator('article.over').waitFor();
      id = fake.ringOwn(agent.user);
      fake.learn(id, { e164: '+8613957112233', raw: '13957112233' });
      await card.getByText('139 5711 2233').waitFor();
      assert.equal(await page.locator('input[name=to]').inputValue(), '+8613957112233', 'filled in late');
      fake.miss(id);
      await card.getByText('Missed call').waitFor();
      await page.locator('tbody').getByText('Missed').waitFor();
      await noViolations(page, 'missed');
      await shot(page, 'missed');
      await card.getByRole('button', { name: 'Put away' }).click();
      await card.waitFor({ state: 'detached' });
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
      const line = (n) => page.locator('section[aria-labelledby=lines-title] li').filter({ hasText: `line ${n}` });
      await line(1).getByText('空闲').waitFor();
      fake.lineMoves('line 3', 'outOfService', 'open /dev/ttyACM2: the port is gone: EIO');
      await line(3).getByText('设备已拔出').waitFor();
      const out = fake.calls.push({ ...fake.calls.find((c) => c.direction === 'out'), id: 'o9', result: null, line: 'line 2', agent: { id: '1002', name: '赵敏' } });
      fake.emit({ type: 'offered', call_id: 'o9', agent_id: '1002', line: 'line 2', called: fake.calls[out - 1].to, user_data: { direction: 'out' } });
      fake.emit({ type: 'agentBusy', call_id: 'o9', agent_id: '1002', user_data: { state: 'notReady', pending: '' } });
      await page.locator('.desks li').filter({ hasText: '1002' }).getByText('正在呼出').waitFor();
      await line(2).getByText('占用').waitFor();
      await noViolations(page, 'floor moving');
      await shot(page, 'zh-floor');
      fake.emit({ type: 'callCleared', call_id: 'o9', agent_id: '1002', line: 'line 2', cause: 'canceled' });
      await line(2).getByText('空闲').waitFor();
      fake.lineMoves('line 3', 'inService');
      await line(3).getByText('空闲').waitFor();
      fake.calls.pop();
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
