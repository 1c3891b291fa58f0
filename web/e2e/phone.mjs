// The telephone in the page, in a real browser against a running callbox
// (CALLBOX_URL). CALLBOX_CALL makes a caller of SIPp who says 1100 Hz until
// somebody hangs up, CALLBOX_MIC is a WAV of 620 Hz for the microphone,
// CALLBOX_WALL a wallboard's key, CALLBOX_SECOND a colleague.

import assert from 'node:assert/strict';
import { connect, createServer } from 'node:net';
import { after, afterEach, before, describe, it } from 'node:test';
import { agent, env, logIn, open, run, setState, shot, start, stop, until, visit } from './page.mjs';

const box = new URL(env.CALLBOX_URL);
const second = { user: '1002', password: env.CALLBOX_SECOND ?? 'secret-1002' };
const caller = 1100;
const figures = {};

/** The cable between browser and box, for what is not sound: it can be pulled out. */
class Cable {
  pulled = false;
  ends = new Set();
  server = createServer((near) => {
    if (this.pulled) return near.destroy();
    const far = connect(Number(box.port), box.hostname);
    for (const [one, other] of [[near, far], [far, near]]) {
      this.ends.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        this.ends.delete(one);
        other.destroy();
      });
    }
    near.pipe(far).pipe(near);
  });

  async start() {
    await new Promise((done) => this.server.listen(0, '127.0.0.1', done));
    return `http://127.0.0.1:${this.server.address().port}`;
  }

  pull() {
    this.pulled = true;
    for (const end of this.ends) end.destroy();
  }

  plug() {
    this.pulled = false;
  }

  stop() {
    this.pull();
    this.server.close();
  }
}

const cable = new Cable();
let url;
let contexts = [];

before(async () => {
  assert.ok(env.CALLBOX_CALL && env.CALLBOX_MIC, 'CALLBOX_CALL and CALLBOX_MIC are missing');
  url = await cable.start();
  await start(url, [`--use-file-for-fake-audio-capture=${env.CALLBOX_MIC}`]);
});

after(async () => {
  await stop();
  cable.stop();
  console.log(`figures ${JSON.stringify(figures)}`);
});

/** How every open page stands, for who reads a failure. */
async function standings() {
  const pages = contexts.flatMap((context) => context.pages());
  return Promise.all(pages.map((page) => page.locator('.health').innerText().catch(String)));
}

afterEach(async (test) => {
  if (test.error ?? !test.passed) console.log(`pages stand at ${JSON.stringify(await standings())}`);
  cable.plug();
  for (const context of contexts) await context.close();
  contexts = [];
});

// Runs in the page before anything else: the microphone gives its tone as it is,
// and what arrives can be looked at.
function prepare() {
  localStorage.setItem('callbox.phone', JSON.stringify({ use: 'page' }));
  const media = navigator.mediaDevices;
  if (media) {
    const ask = media.getUserMedia.bind(media);
    media.getUserMedia = () => ask({ audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false } });
  }
  const Peer = window.RTCPeerConnection;
  window.peers = [];
  window.RTCPeerConnection = class extends Peer {
    constructor(...settings) {
      super(...settings);
      window.peers.push(this);
    }
  };
}

/** How many Hz the loudest tone has that the page hears now, and whether it is one clear tone. */
async function heard() {
  const peer = window.peers.at(-1);
  const track = peer?.getReceivers()[0]?.track;
  if (!track) return { hz: 0, clear: 0 };
  if (window.earOf !== track) {
    window.earOf = track;
    const audio = new AudioContext();
    window.ear = new AnalyserNode(audio, { fftSize: 8192, smoothingTimeConstant: 0 });
    audio.createMediaStreamSource(new MediaStream([track])).connect(window.ear);
    window.rate = audio.sampleRate;
    await audio.resume();
  }
  const bins = new Float32Array(window.ear.frequencyBinCount);
  window.ear.getFloatFrequencyData(bins);
  const power = [...bins].map((db) => (Number.isFinite(db) ? 10 ** (db / 10) : 0));
  const top = power.indexOf(Math.max(...power));
  const near = power.slice(Math.max(0, top - 5), top + 6).reduce((a, b) => a + b, 0);
  const all = power.reduce((a, b) => a + b, 0);
  return { hz: (top * window.rate) / 8192, clear: all > 1e-9 ? near / all : 0 };
}

async function hears(page, hz, what = 'the caller in the page') {
  await until(() => page.evaluate(heard), (tone) => Math.abs(tone.hz - hz) < 8 && tone.clear > 0.8, what, 20_000);
}

async function comeIn(who = agent) {
  const { context, page } = await visit();
  contexts.push(context);
  await context.addInitScript(prepare);
  await page.goto(url);
  await logIn(page, who);
  await page.getByText('Telephone ready').first().waitFor();
  return { context, page };
}

function call() {
  return run(env.CALLBOX_CALL);
}

/** Takes the call that rings, and says how long it took from the click until the caller was heard. */
async function answer(page) {
  await page.locator('.bar, article.ringing').first().waitFor();
  await page.evaluate(() => {
    const button = [...document.querySelectorAll('article.ringing .answer button')][0];
    const peer = window.peers.at(-1);
    window.took = new Promise((done) => {
      button.addEventListener('click', () => {
        const from = performance.now();
        const look = async () => {
          const rows = [...(await peer.getStats()).values()];
          const now = rows.find((row) => row.type === 'inbound-rtp');
          // Silence between calls carries no energy; the caller's tone does.
          if (now && window.energy !== undefined && now.totalAudioEnergy > window.energy + 1e-4) return done(performance.now() - from);
          window.energy ??= now?.totalAudioEnergy;
          setTimeout(look, 5);
        };
        void look();
      });
    });
  });
  await page.getByRole('button', { name: 'Answer' }).first().click();
  const took = await page.evaluate(() => window.took);
  await page.getByRole('button', { name: 'Hang up' }).waitFor();
  return Math.round(took);
}

async function hangUp(page) {
  await page.getByRole('button', { name: 'Hang up' }).click();
  await page.locator('.state.workingAfterCall').waitFor();
}

const ended = (child) => new Promise((done) => (child.exitCode === null ? child.on('exit', done) : done(child.exitCode)));

describe('the telephone in the page', { timeout: 240_000 }, () => {
  it('takes a call from ring to wrap-up', async () => {
    const { page } = await comeIn();
    await setState(page, 'ready');
    const typed = page.locator('input[name=number], input[type=tel], .composer textarea, textarea').first();
    if (await typed.count()) await typed.fill('half a thought');
    const focus = await page.evaluate(() => document.activeElement?.tagName);
    const out = call();
    await page.locator('article.ringing').waitFor();
    assert.equal(await page.evaluate(() => document.activeElement?.tagName), focus, 'a pop takes no focus');
    if (await typed.count()) assert.equal(await typed.inputValue(), 'half a thought');
    await page.getByText('安顺物业').first().waitFor();
    await shot(page, 'phone-ringing');
    figures.answer_to_audio_ms = await answer(page);
    await hears(page, caller);
    await shot(page, 'phone-talking');
    await page.keyboard.press('Alt+h');
    await page.getByRole('button', { name: 'Take back' }).waitFor();
    await page.keyboard.press('Alt+h');
    await page.getByRole('button', { name: 'Hold', exact: true }).waitFor();
    await hears(page, caller, 'the caller, back from hold');
    await page.keyboard.press('Alt+m');
    await page.getByText('Muted: nobody hears you').waitFor();
    await page.keyboard.press('Alt+m');
    await page.waitForTimeout(2500); // both say something for the recording
    await hangUp(page);
    assert.equal(await ended(out), 0);
    await shot(page, 'phone-wrapup');
    await setState(page, 'ready');
    await setState(page, 'notReady');
    assert.deepEqual(page.complaints, []);
  });

  it('keeps the caller over a reload, a pulled cable and a second window', async () => {
    const { context, page } = await comeIn();
    await setState(page, 'ready');
    const out = call();
    await page.locator('article.ringing').waitFor();
    await answer(page);
    await hears(page, caller);
    const from = Date.now();
    await page.reload();
    await hears(page, caller, 'the caller after a reload');
    figures.reload_to_audio_ms = Date.now() - from;
    await page.getByRole('button', { name: 'Hang up' }).waitFor();

    cable.pull();
    await page.locator('.health .chip.warn').first().waitFor();
    await page.waitForTimeout(4000); // a cut of some seconds
    cable.plug();
    await page.locator('.health .chip.good').last().waitFor();
    await hears(page, caller, 'the caller after a cut');

    const other = await open(context);
    await other.getByText('Telephone ready').first().waitFor();
    await hears(other, caller, 'the caller in the second window');
    await page.getByText(/another window|another tab/i).first().waitFor();

    await other.keyboard.press('Alt+h');
    await other.getByRole('button', { name: 'Take back' }).waitFor();
    await other.waitForTimeout(2500);
    const third = await open(context); // was told of no event of this call
    await third.getByRole('button', { name: 'Take back' }).waitFor();
    const timer = third.locator('.bar .chip', { hasText: 'On hold for' }).getByRole('timer');
    const seconds = (await timer.innerText()).split(':').reduce((all, part) => all * 60 + Number(part), 0);
    assert.ok(seconds >= 2 && seconds < 30, `on hold for ${seconds} s`);
    await third.getByText('Telephone ready').first().waitFor();
    await third.getByRole('button', { name: 'Take back' }).click();
    await third.getByRole('button', { name: 'Hold', exact: true }).waitFor();
    await hears(third, caller, 'the caller, taken back in the third window');
    await hangUp(third);
    assert.equal(await ended(out), 0);
    await setState(third, 'notReady');
  });

  it('hands a caller on to a colleague', async () => {
    const first = await comeIn();
    const colleague = await comeIn(second);
    await setState(first.page, 'ready');
    const out = call();
    await first.page.locator('article.ringing').waitFor();
    await answer(first.page);
    await hears(first.page, caller);
    await setState(colleague.page, 'ready');
    await first.page.keyboard.press('Alt+t');
    await first.page.getByRole('button', { name: 'Transfer now: 李强' }).click();
    await colleague.page.locator('article.ringing').waitFor();
    await answer(colleague.page);
    await hears(colleague.page, caller, 'the caller at the colleague');
    await colleague.page.waitForTimeout(2500); // both say something for the recording
    await hangUp(colleague.page);
    assert.equal(await ended(out), 0);
    for (const { page } of [first, colleague]) await setState(page, 'notReady');
  });

  it('finds the recording by its number in three clicks', async () => {
    const { page } = await comeIn();
    let clicks = 0;
    const click = async (what) => {
      clicks++;
      await what.click();
    };
    await click(page.getByRole('link', { name: 'Recordings' }));
    await page.getByRole('searchbox').fill('138 0013 8000');
    await page.keyboard.press('Enter');
    await click(page.locator('td button[aria-expanded]').first());
    await page.locator('.wave').waitFor();
    await click(page.getByRole('button', { name: 'Play', exact: true }));
    await until(() => page.locator('audio').evaluate((sound) => sound.currentTime), (at) => at > 0.5, 'the recording plays');
    assert.ok(clicks <= 3, `${clicks} clicks`);
    await shot(page, 'recording');
    assert.deepEqual(page.complaints, []);
  });

  it('shows the wall what goes on, and says when it is stale', async () => {
    assert.ok(env.CALLBOX_WALL, 'CALLBOX_WALL is missing');
    const { context, page } = await visit({ viewport: { width: 1920, height: 1080 } });
    contexts.push(context);
    await page.goto(`${url}/wallboard#key=${env.CALLBOX_WALL}`);
    await page.getByText('报修').first().waitFor();
    await page.screenshot({ path: `${env.CALLBOX_SHOTS ?? 'test-results'}/wallboard.png` });
    cable.pull();
    await page.locator('.banner').waitFor({ timeout: 15_000 });
    cable.plug();
    await until(() => page.locator('.banner').count(), (n) => n === 0, 'the banner goes', 15_000);
  });
});
