// The page behind a text's link on a phone, against a running callbox:
// README.md lists the settings.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { env, noViolations, patience, shot, start, stop, visit } from './page.mjs';

const phone = { viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true };

before(() => start(env.CALLBOX_URL));
after(stop);

async function onAPhone(locale, work) {
  const { context, page } = await visit({ ...phone, locale });
  try {
    await work(page);
    const { wide, small } = await page.evaluate(() => ({
      wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
      small: [...document.querySelectorAll('button, textarea')].filter((e) => e.offsetHeight < 44).length,
    }));
    assert.deepEqual({ wide, small }, { wide: 0, small: 0 });
    assert.deepEqual(page.complaints, []);
  } finally {
    await context.close();
  }
}

describe('the page behind a link', { timeout: patience }, () => {
  it('shows the text in Chinese, and takes a press', async () => {
    await onAPhone('zh-CN', async (page) => {
      assert.equal(await page.title(), '工单 N-1');
      await page.getByText('尚未确认').waitFor();
      await noViolations(page, 'not acknowledged');
      await shot(page, 'link-zh-open');
      await page.getByRole('button', { name: '接单' }).tap();
      await page.getByText('已确认').waitFor();
      await page.reload(); // presses nothing again
      assert.equal(await page.locator('#done li').count(), 1);
      await noViolations(page, 'acknowledged');
      await shot(page, 'link-zh-taken');
    });
  });

  it('asks why something is left', async () => {
    await onAPhone('zh-CN', async (page) => {
      const left = page.getByRole('button', { name: '遗留原因' });
      await left.tap();
      assert.equal(await page.locator('#done li').count(), 1, 'the browser asks for the reason itself');
      await page.locator('form').last().evaluate((form) => form.setAttribute('novalidate', ''));
      await left.tap();
      await page.getByText('请填写遗留原因').waitFor();
      await noViolations(page, 'no reason');
      await page.getByLabel('遗留原因说明').fill('缺门机皮带\n后天再来');
      await left.tap();
      await page.locator('#done').getByText('缺门机皮带').waitFor();
    });
  });

  it('speaks English to who reads it', async () => {
    await onAPhone('en-GB', async (page) => {
      assert.equal(await page.title(), 'Work order N-1');
      await noViolations(page, 'English');
      await page.getByRole('button', { name: 'Arrived' }).tap();
      await page.locator('#done li', { hasText: '到达' }).waitFor();
      await shot(page, 'link-en');
    });
  });

  it('says in words that a link is no one’s', async () => {
    await onAPhone('zh-CN', async (page) => {
      await page.goto(new URL('nopenopenope', env.CALLBOX_URL).href);
      await page.getByText('链接无效或已过期').waitFor();
      await noViolations(page, 'no one’s link');
    });
  });
});
