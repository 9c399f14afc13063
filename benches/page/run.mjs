// How fast does the page come, and does it keep up with a lively board?
//
//     node benches/page/run.mjs [--slow-cpu] [--seconds 30]
//
// 300 players, a visible board of 100 rows, and 50 actions a second. A page is opened
// over an emulated fast 4G and watched by the browser itself for 30 s, while somebody
// clicks and types. With --slow-cpu that is done once more with a processor that is
// slowed down four times, as Lighthouse has it for phones. Before that, 500 requests one
// after the other tell how long the server takes for the page: of a player, which is
// rendered each time, and of a viewer, which is kept while the board stays. It prints the
// tables of docs/PERFORMANCE.md, and fails nobody. It uses PODIUM_BIN, or
// target/release/podium, and the Chromium of the tests, and takes a minute with both
// runs. Animations are on: they are part of what is measured.

import { once } from 'node:events';
import { Agent, get } from 'node:http';
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { chromium } from '@playwright/test';

import config from '../../playwright.config.mjs';
import { idOf } from '../../end2end/support/boards.mjs';
import { act, importedDatabase, startPodium, token } from '../../end2end/support/podium.mjs';
import { inWaves, percentile } from '../traffic/support.mjs';
import { collect, observe } from './observe.mjs';

const PLAYERS = 300;
const TOP = 100;
const ACTIONS_PER_SECOND = 50;
const RENDERS = 500;
const LIVE_WITHIN_MS = 30_000;

/**
 * “Fast 4G” of Chrome's DevTools (front_end/core/sdk/NetworkManager.ts): 9 Mbit/s down,
 * 1.5 Mbit/s up and a round trip of 60 ms, with the factors by which DevTools makes
 * up for what it cannot emulate. Each request is delayed, and WebSocket frames are not.
 */
const FAST_4G = {
  offline: false,
  downloadThroughput: ((9 * 1000 * 1000) / 8) * 0.9,
  uploadThroughput: ((1.5 * 1000 * 1000) / 8) * 0.9,
  latency: 60 * 2.75,
};

const VIEWPORT = { width: 1280, height: 720 };

/** A board with all players on it, close enough to one another to change places. */
async function startBoard() {
  const names = Array.from({ length: PLAYERS }, (_, i) => `Player ${i + 1}`);
  const env = { PODIUM_BOARD__TOP: String(TOP) };
  const lines = names.flatMap((username, i) => {
    const userId = idOf(username);
    const action = { actionId: `start ${i}`, actionType: 'bench', scoreIncrease: 1000 - i };
    return [{ userId, username }, { userId, ...action }];
  });
  const database = await importedDatabase(lines, env);
  return { ids: names.map(idOf), podium: await startPodium({ env, database }) };
}

/** Sends actions at an even pace until it is told to stop; resolves to how many. */
function startActions(url, ids) {
  let sent = 0;
  const pending = new Set();
  const started = performance.now();
  const timer = setInterval(() => {
    // A timer that comes late makes up for it.
    while (sent < ((performance.now() - started) / 1000) * ACTIONS_PER_SECOND) {
      sent += 1;
      const userId = ids[Math.floor(Math.random() * ids.length)];
      const done = act(url, { userId, scoreIncrease: Math.ceil(Math.random() * 20) });
      pending.add(done.catch((error) => console.error(error.message)));
    }
  }, 1000 / ACTIONS_PER_SECOND);
  return async () => {
    clearInterval(timer);
    await Promise.all(pending);
    return (sent / (performance.now() - started)) * 1000;
  };
}

/** How long each of so many requests for the page took, in milliseconds. */
async function renderTimes(url, headers) {
  // One connection, so that nothing else is measured.
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  let bytes = 0;
  const times = await inWaves(RENDERS, 1, async () => {
    const started = performance.now();
    const [response] = await once(get(url, { agent, headers }), 'response');
    bytes = 0;
    for await (const chunk of response) bytes += chunk.length;
    return performance.now() - started;
  });
  agent.destroy();
  return { times, bytes };
}

/** What came over the network by kind, as it came: compressed, with its headers. */
async function countBytes(session) {
  const kinds = new Map();
  const requests = new Map();
  const add = (kind, bytes) => kinds.set(kind, (kinds.get(kind) ?? 0) + bytes);
  session.on('Network.responseReceived', ({ requestId, type, response }) => {
    // Chromium calls it a fetch, however it is asked for.
    requests.set(requestId, response.mimeType === 'application/wasm' ? 'WebAssembly' : type);
  });
  session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    add(requests.get(requestId) ?? 'Other', encodedDataLength);
  });
  session.on('Network.webSocketFrameReceived', ({ response }) => {
    add('WebSocket', Buffer.byteLength(response.payloadData));
  });
  await session.send('Network.enable');
  return kinds;
}

/** Uses the page as somebody would who looks around, about once a second. */
async function use(page, seconds) {
  const end = performance.now() + seconds * 1000;
  // By its place: Playwright would wait for a button that does not move.
  const click = async (locator) => {
    const box = (await locator.count()) > 0 && (await locator.boundingBox());
    if (box) await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
  };
  for (let i = 0; performance.now() < end; i++) {
    const pause = page.getByRole('button', { name: /^(Pause|Resume)$/ });
    // Paused and at once resumed, so that the board is seldom still.
    const steps = [
      async () => {
        await click(pause);
        await click(pause);
      },
      () => page.mouse.click(VIEWPORT.width / 2, VIEWPORT.height / 2 + (i % 7) * 20),
      () => page.keyboard.press('Tab'),
    ];
    await steps[i % steps.length]();
    await sleep(Math.min(900, Math.max(0, end - performance.now())));
  }
}

/** Opens the page and watches it for so long. */
async function watch(browser, url, { slowdown, seconds }) {
  const context = await browser.newContext({ viewport: VIEWPORT });
  try {
    const page = await context.newPage();
    const session = await context.newCDPSession(page);
    const bytes = await countBytes(session);
    await session.send('Network.emulateNetworkConditions', FAST_4G);
    await session.send('Emulation.setCPUThrottlingRate', { rate: slowdown });
    await page.addInitScript(observe);
    await page.goto(url);
    await page.locator('[data-connection=live]').first().waitFor({ timeout: LIVE_WITHIN_MS });
    const live = await page.evaluate(() => performance.now());
    await page.evaluate(() => globalThis.watched.startFrames());
    const loaded = new Map(bytes);
    await use(page, seconds);
    return { live, loaded, bytes, ...(await page.evaluate(collect)) };
  } finally {
    await context.close();
  }
}

const ms = (value) => (value === undefined ? '–' : `${value.toFixed(value < 10 ? 1 : 0)} ms`);
const kB = (value) => `${(value / 1000).toFixed(1)} kB`;
const share = (list, most) =>
  `${((100 * list.filter((it) => it <= most).length) / list.length).toFixed(1)} %`;

/** The frames of a screen of 60 Hz, with what a timer may be late. */
const ONE_FRAME_MS = 16.7 + 0.5;
const TWO_FRAMES_MS = 33.4 + 0.5;

const MEASURES = [
  ['largest contentful paint', ({ lcp }) => ms(lcp)],
  ['live after', ({ live }) => ms(live)],
  ['cumulative layout shift', ({ cls }) => cls.toFixed(3)],
  ['interaction to next paint', ({ interactions, inp }) => `${inp ? ms(inp) : '≤ 16 ms'} of ${interactions}`],
  ['frames, p50', ({ frames }) => ms(percentile(frames, 0.5))],
  ['frames, p95', ({ frames }) => ms(percentile(frames, 0.95))],
  ['frames, p99', ({ frames }) => ms(percentile(frames, 0.99))],
  ['frames of 16.7 ms at most', ({ frames }) => share(frames, ONE_FRAME_MS)],
  ['frames of 33 ms at most', ({ frames }) => share(frames, TWO_FRAMES_MS)],
  ['long tasks while loading', ({ live, longTasks }) => tasks(longTasks, (at) => at < live)],
  ['long tasks after', ({ live, longTasks }) => tasks(longTasks, (at) => at >= live)],
];

function tasks(all, when) {
  const some = all.filter(({ at }) => when(at)).map(({ duration }) => duration);
  return some.length === 0 ? '0' : `${some.length}, the longest ${ms(Math.max(...some))}`;
}

const markdown = (rows) => {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const [heads, ...others] = rows;
  console.log([line(heads), line(heads.map(() => '---')), ...others.map(line), ''].join('\n'));
};

const { values } = parseArgs({
  options: { 'slow-cpu': { type: 'boolean' }, seconds: { type: 'string', default: '30' } },
});
const seconds = Math.min(120, Math.max(1, Number(values.seconds)));
const { podium, ids } = await startBoard();
const browser = await chromium.launch(config.use.launchOptions);
try {
  console.log(
    `Headless Chromium ${browser.version()} on ${cpus().length} cores without a GPU, which server, ` +
      `senders and the browser share: on a screen of its own a page paints faster.\n`,
  );
  const cookie = `podium_token=${token({ user: ids.at(-1) })}`;
  const rendered = await renderTimes(podium.url, { cookie });
  const kept = await renderTimes(podium.url, {});
  const row = (name, { times }) => [name, ...[0.5, 0.99].map((part) => ms(percentile(times, part)))];
  markdown([
    [`${RENDERS} requests, ${TOP} rows, ${kB(kept.bytes)} uncompressed`, 'p50', 'p99'],
    row('rendered for a player', rendered),
    row('kept for viewers', kept),
  ]);

  const stopActions = startActions(podium.url, ids);
  const runs = [];
  for (const slowdown of values['slow-cpu'] ? [1, 4] : [1]) {
    runs.push({ slowdown, ...(await watch(browser, podium.url, { slowdown, seconds })) });
  }
  const rate = await stopActions();

  const heads = runs.map(({ slowdown }) => (slowdown === 1 ? 'fast 4G' : `fast 4G, CPU ${slowdown}×`));
  console.log(`${rate.toFixed(0)} actions a second, ${seconds} s:\n`);
  markdown([['page', ...heads], ...MEASURES.map(([name, of]) => [name, ...runs.map(of)])]);

  const [{ loaded, bytes: all }] = runs;
  const total = [...loaded.values()].reduce((sum, it) => sum + it, 0);
  markdown([
    ['until the page is live', 'transferred'],
    ...[...loaded].map(([kind, bytes]) => [kind, kB(bytes)]),
    ['all', kB(total)],
    [`WebSocket in ${seconds} s more`, kB((all.get('WebSocket') ?? 0) - (loaded.get('WebSocket') ?? 0))],
  ]);
} finally {
  await browser.close();
  await podium.kill();
}
