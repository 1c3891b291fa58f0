// The page over telephone lines, against a running callbox with a voice box
// and an exchange that play their parts on command: README.md lists them.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { agent, as, env, noViolations, patience, run, seconds, setState, shot, start, stop, supervisor, until } from './page.mjs';

const zh = { locale: 'zh-CN' };

before(() => start(env.CALLBOX_URL.replace(/\/$/, '')));
after(stop);

/** Has somebody play a part, until it is over. */
async function part(name, work) {
  const command = env[`CALLBOX_${name}`];
  assert.ok(command, `CALLBOX_${name} is not set`);
  const child = run(command);
  const ended = new Promise((done) => child.on('exit', done));
  await new Promise((done) => setTimeout(done, 1000)); // the exchange is connected
  await work();
  return ended;
}

async function dial(page, number) {
  const field = page.locator('input[name=dial]');
  await field.fill(number);
  await field.press('Enter');
}

describe('an agent who dials', { timeout: 2 * patience }, () => {
  it('is told that the number is busy, then talks to one that answers', async () => {
    await as(agent, async (page) => {
      const card = page.locator('.stage article');
      const bar = page.locator('section.bar');
      const row = page.locator('tbody tr').first();
      await setState(page, 'notReady');
      await page.locator('textarea[name=text]').fill('您好，');
      await part('BUSY', async () => {
        await dial(page, '138 1234 5678');
        await card.getByText('去电').first().waitFor();
        await bar.getByText('正在呼叫对方').waitFor();
        await noViolations(page, 'dialling');
        await shot(page, 'line-zh-dialling');
        await card.getByText('对方忙').waitFor();
        await noViolations(page, 'busy');
        await shot(page, 'line-zh-busy');
      });
      await bar.waitFor({ state: 'detached' });
      await row.getByText('对方忙').waitFor();
      await page.locator('.state.notReady').waitFor(); // as before the call
      await part('VACANT', async () => {
        await dial(page, '13812345678');
        await card.getByText('空号').waitFor();
      });
      await bar.waitFor({ state: 'detached' });
      await part('ANSWERS', async () => {
        await row.getByRole('button', { name: /138 1234 5678/ }).click();
        await bar.getByText('通话中').waitFor();
        await card.getByText('安顺物业').waitFor();
        await card.getByText('line 1').waitFor();
        await until(async () => seconds(await bar.locator('.timer').textContent()), (now) => now >= 2, 'talk timer');
        await dial(page, '10086');
        await page.getByText('您正在通话中').waitFor();
        await noViolations(page, 'talking on a line');
        await shot(page, 'line-zh-talking');
        await bar.getByRole('button', { name: '挂断' }).click();
        await page.locator('article.over').waitFor();
      });
      await row.getByText('已接听').waitFor();
      assert.equal(await page.locator('textarea[name=text]').inputValue(), '您好，');
    }, zh);
  });
});

describe('an agent’s own telephone beside the box', { timeout: 2 * patience }, () => {
  it('pops up at once, and is completed when the number comes', async () => {
    await as(agent, async (page) => {
      const card = page.locator('.stage article');
      const bar = page.locator('section.bar');
      const words = page.locator('textarea[name=text]');
      await setState(page, 'ready');
      await part('LATE', async () => {
        await card.getByText('正在识别来电号码').waitFor();
        await words.pressSequentially('师傅');
        await shot(page, 'line-zh-no-number-yet');
        await card.locator('h2').getByText('138 1234 5678').waitFor();
        await card.getByText('安顺物业').waitFor();
        await card.getByText('KONE 3000').waitFor();
        await page.keyboard.type('明天到');
        assert.equal(await words.inputValue(), '师傅明天到');
        await noViolations(page, 'late number');
        await shot(page, 'line-zh-late-number');
        await bar.getByText(/请在电话机上挂断/).waitFor(); // lifted
        assert.equal(await bar.getByRole('button').count(), 0);
        await noViolations(page, 'own telephone');
        await shot(page, 'line-zh-own-telephone');
        await page.locator('article.over').waitFor();
      });
      await part('MISSED', async () => {
        await card.locator('h2').getByText('138 1234 5678').waitFor();
        await card.getByText('未接来电').waitFor();
        await page.locator('tbody tr').first().getByText('未接').waitFor();
        await noViolations(page, 'missed');
        await shot(page, 'line-zh-missed');
      });
      assert.equal(await words.inputValue(), '师傅明天到');
    }, zh);
  });
});

describe('the supervisor', { timeout: 2 * patience }, () => {
  it('sees the lines in use, out of service and back', async () => {
    await as(supervisor, async (page) => {
      const line = (n) => page.locator('section[aria-labelledby=lines-title] li').filter({ hasText: `line ${n}` });
      await line(1).getByText('Free').waitFor();
      await line(2).getByText('0571 8888 0002').waitFor();
      await part('MISSED', async () => {
        await line(2).getByText('In use').waitFor();
        await line(2).getByText('138 1234 5678').waitFor();
        await noViolations(page, 'a line in use');
        await shot(page, 'line-floor');
      });
      await line(2).getByText('Free').waitFor();
      await part('UNPLUG', () => line(1).getByText('Out of service').waitFor());
      await line(2).getByText(/since \d\d:\d\d:\d\d/).waitFor();
      await noViolations(page, 'unplugged');
      await shot(page, 'line-floor-unplugged');
      void part('PLUG', () => undefined);
      await line(1).getByText('Free').waitFor();
      await line(2).getByText('Free').waitFor();
    });
  });
});
