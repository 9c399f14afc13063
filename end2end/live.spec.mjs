// “Live” is never a lie: whatever happens to the link, to the browser and to its clock,
// the page says whether what it shows is how the board is, and comes back by itself.

import { chromium } from '@playwright/test';

import config from '../playwright.config.mjs';
import {
  awaitingFrame,
  connections,
  drawFrame,
  holdFrames,
  noteConnections,
  setClock,
  setHidden,
  shiftClock,
} from './support/clocks.mjs';
import { startLossyProxy } from './support/lossy.mjs';
import { expect, expectBoard, live, players, shownBoard, test as base } from './support/page.mjs';
import { act, request } from './support/podium.mjs';

const HOUR = 3_600_000;
/** The page needs 6 s to notice, and 3 s to come back; machines need more. */
const NOTICED = { timeout: 30_000 };
const BACK = { timeout: 30_000 };

/** `network`: one before the server that can lose what it carries. */
const test = base.extend({
  network: async ({ podium }, use) => {
    const network = await startLossyProxy(podium.url);
    await use(network);
    network.close();
  },
});

test.beforeEach(() => test.slow());

/** How old the page says that what it shows is, in seconds. */
const ageOf = async (page) => {
  const [, age] = /(\d+) s old/.exec(await page.locator('.status').textContent()) ?? [];
  return Number(age);
};

/** Waits until the page says that it is not live, and how old what it shows is: returns that. */
async function notLive(page, age = /Not live\s*\d+ s old/) {
  const status = page.locator('.status');
  await expect(status).toHaveAttribute('data-connection', 'reconnecting', NOTICED);
  await expect(status).toHaveText(age);
  await expect(page.locator('ol.board')).toHaveAttribute('data-stale', '');
  return ageOf(page);
}

const backLive = (page) =>
  expect(page.locator('.status')).toHaveAttribute('data-connection', 'live', BACK);

/** Counts the WebSockets of a page. */
function countSockets(page) {
  const count = { sockets: 0 };
  page.on('websocket', (socket) => {
    if (socket.url().includes('/socket.io/')) count.sockets += 1;
  });
  return count;
}

test('a server that is stopped is noticed, and the link of before goes on', async ({
  podium,
  open,
}) => {
  const { Ada } = await players(podium, { Ada: 30 });
  let count;
  const page = await open({
    expectErrors: true,
    prepare: (page) => (count = countSockets(page)),
  });
  await live(page);
  podium.process.kill('SIGSTOP');
  try {
    // What is shown is as old as the last word of the server.
    const age = await notLive(page);
    expect(age).toBeGreaterThanOrEqual(5);
    await expect.poll(() => ageOf(page), NOTICED).toBeGreaterThan(age);
  } finally {
    podium.process.kill('SIGCONT');
  }
  await backLive(page);
  await act(podium.url, { userId: Ada, scoreIncrease: 1 });
  await expectBoard(page, ['1 Ada 31']);
  // From the first answer on the link has half a second to speak, of which a machine that
  // is busy may need more: then there is one other.
  expect(count.sockets).toBeLessThanOrEqual(2);
});

test('a network that drops all packets is noticed, and another link is made', async ({
  podium,
  network,
  open,
}) => {
  const { Ada } = await players(podium, { Ada: 30 });
  let count;
  const page = await open({
    expectErrors: true,
    path: `${network.url}/`,
    prepare: (page) => (count = countSockets(page)),
  });
  await live(page);
  network.lose();
  await act(podium.url, { userId: Ada, scoreIncrease: 1 });
  await notLive(page);
  await expectBoard(page, ['1 Ada 30']);
  // What began meanwhile is lost too.
  const before = network.opened();
  await expect.poll(() => network.opened(), NOTICED).toBeGreaterThan(before);
  network.restore();
  await backLive(page);
  await expectBoard(page, ['1 Ada 31']);
  expect(count.sockets).toBeLessThanOrEqual(3);
});

test('an attempt to connect that was lost does not keep the page waiting', async ({
  podium,
  network,
  open,
}) => {
  const { Ada } = await players(podium, { Ada: 30 });
  const page = await open({ expectErrors: true, path: `${network.url}/` });
  await live(page);
  // It knows that it is offline, connects when it is not, and that is lost.
  await page.context().setOffline(true);
  await expect(page.locator('.status')).toHaveText(/Offline\s*\d+ s old/);
  network.lose();
  const before = network.opened();
  await page.context().setOffline(false);
  await expect.poll(() => network.opened(), NOTICED).toBeGreaterThan(before);
  await notLive(page);
  network.restore();
  await act(podium.url, { userId: Ada, scoreIncrease: 1 });
  // Its own time would be over after 20 s.
  await expect(page.locator('[data-connection=live]')).toBeVisible({ timeout: 15_000 });
  await expectBoard(page, ['1 Ada 31']);
});

test('a page whose first connection hangs says that it is not live', async ({ podium, open }) => {
  await players(podium, { Ada: 30 });
  const held = [];
  let mayConnect = false;
  const page = await open({
    expectErrors: true,
    prepare: (page) =>
      page.routeWebSocket(/socket\.io/, (socket) => {
        if (mayConnect) socket.connectToServer();
        else held.push(socket);
      }),
  });
  // It refreshes itself over HTTP meanwhile, so what it shows is not old.
  const status = page.locator('.status');
  await expect(status).toHaveAttribute('data-connection', /reconnecting|refreshing/, NOTICED);
  await expect(status).toHaveText(/Not live/);
  mayConnect = true;
  await backLive(page);
  expect(held.length).toBeGreaterThan(0);
});

test('a gap that nobody fills makes the board an old one', async ({ podium, open }) => {
  const { Ada } = await players(podium, { Ada: 30 });
  let lost = 0;
  let answers = true;
  const releases = [];
  const page = await open({
    prepare: (page) =>
      page.routeWebSocket(/socket\.io/, (socket) => {
        const server = socket.connectToServer();
        server.onMessage((message) => {
          const isChange = /"scoreboard_delta".*"changes":\[\{/.test(String(message));
          if (isChange && lost === 0) lost += 1;
          else socket.send(message);
        });
        socket.onMessage((message) => {
          const isQuestion = String(message).includes('subscribe_scoreboard');
          if (isQuestion && !answers) releases.push(() => server.send(message));
          else server.send(message);
        });
      }),
  });
  await live(page);
  answers = false;
  await act(podium.url, { userId: Ada, scoreIncrease: 1 });
  await expect.poll(() => lost).toBe(1);
  await act(podium.url, { userId: Ada, scoreIncrease: 1 });
  await notLive(page);
  answers = true;
  releases[0]();
  await backLive(page);
  await expectBoard(page, ['1 Ada 32']);
});

test('a page that the browser freezes leaves, and is right again when it goes on', async ({
  podium,
  open,
}) => {
  const { Ada } = await players(podium, { Ada: 30 });
  let count;
  const page = await open({
    expectErrors: true,
    prepare: (page) => {
      count = countSockets(page);
      return noteConnections(page);
    },
  });
  await live(page);
  const tell = (name) => page.evaluate((name) => document.dispatchEvent(new Event(name)), name);
  await tell('freeze');
  await act(podium.url, { userId: Ada, scoreIncrease: 1 });
  await tell('resume');
  await backLive(page);
  await expectBoard(page, ['1 Ada 31']);
  expect(count.sockets).toBe(2);
  const said = (await connections(page)).map((it) => it.split(':')[0]);
  expect(said.filter((it, i) => it !== said[i - 1]).slice(-3)).toEqual([
    'live',
    'reconnecting',
    'live',
  ]);
});

test('a page that comes back from the back/forward cache is right again', async ({ podium }) => {
  const { Ada } = await players(podium, { Ada: 30 });
  const { args, ...options } = config.use.launchOptions;
  const browser = await chromium.launch({
    ...options,
    // A page that the test hands out would not be of this machine.
    args: [...args, '--disable-features=LocalNetworkAccessChecks'],
    ignoreDefaultArgs: ['--disable-back-forward-cache'],
  });
  try {
    const context = await browser.newContext();
    const page = await context.newPage();
    // Chromium keeps no page that must not be stored and has had a socket; others may.
    await page.route(`${podium.url}/`, async (route) => {
      const response = await route.fetch();
      const { 'cache-control': _, ...headers } = response.headers();
      await route.fulfill({ response, headers });
    });
    await page.addInitScript(() => {
      globalThis.shown = [];
      addEventListener('pageshow', ({ persisted }) => globalThis.shown.push(persisted));
    });
    await noteConnections(page);
    await page.goto(`${podium.url}/`);
    await live(page);
    // Of another site, or the browser has no reason to keep the page.
    await page.goto(`${podium.url.replace('127.0.0.1', 'localhost')}/players/${Ada}`);
    await act(podium.url, { userId: Ada, scoreIncrease: 1 });
    await page.goBack({ waitUntil: 'commit' });
    await backLive(page);
    await expectBoard(page, ['1 Ada 31']);
    // It was not loaded again: what it says is what it made of it.
    expect(await page.evaluate(() => globalThis.shown)).toEqual([false, true]);
    expect((await connections(page)).some((it) => it.startsWith('reconnecting'))).toBe(true);
  } finally {
    await browser.close();
  }
});

test('a machine that has slept knows how old the board is, and comes back', async ({
  podium,
  network,
  open,
}) => {
  const { Ada } = await players(podium, { Ada: 30 });
  const page = await open({
    expectErrors: true,
    path: `${network.url}/`,
    prepare: (page) => shiftClock(page, 0),
  });
  await live(page);
  // Nobody has told the browser; its wall clock went on.
  network.lose();
  await act(podium.url, { userId: Ada, scoreIncrease: 1 });
  // What was on its way has arrived.
  await page.waitForTimeout(1_000);
  await setClock(page, HOUR);
  await notLive(page, /Not live\s*1 h old/);
  network.restore();
  await backLive(page);
  await expectBoard(page, ['1 Ada 31']);
});

test('a page whose timers stood still for an hour is right again', async ({
  podium,
  network,
  open,
}) => {
  const { Ada } = await players(podium, { Ada: 30 });
  const page = await open({
    expectErrors: true,
    path: `${network.url}/`,
    prepare: (page) => page.clock.install(),
  });
  await live(page);
  network.lose();
  await page.clock.fastForward(HOUR);
  await notLive(page, /Not live\s*1 h old/);
  await act(podium.url, { userId: Ada, scoreIncrease: 1 });
  network.restore();
  await backLive(page);
  await expectBoard(page, ['1 Ada 31']);
});

test('a hidden page asks nothing of a server that is away, and is quick when it is seen', async ({
  podium,
  network,
  open,
}) => {
  const { Ada } = await players(podium, { Ada: 30 });
  let probes = 0;
  const page = await open({
    expectErrors: true,
    path: `${network.url}/`,
    prepare: async (page) => {
      page.on('request', (it) => (probes += it.url().endsWith('/healthz') ? 1 : 0));
      await page.clock.install();
    },
  });
  await live(page);
  await setHidden(page, true);
  network.lose();
  await page.clock.runFor(HOUR / 12);
  expect(probes).toBe(0);
  await act(podium.url, { userId: Ada, scoreIncrease: 1 });
  network.restore();
  await setHidden(page, false);
  await page.clock.resume();
  await expect.poll(() => probes).toBeGreaterThan(0);
  await backLive(page);
  await expectBoard(page, ['1 Ada 31']);
});

test('a page that is not live asks for the board at once when it is seen', async ({ podium, open }) => {
  const { Ada } = await players(podium, { Ada: 30 });
  let asked = 0;
  const page = await open({
    expectErrors: true,
    prepare: async (page) => {
      page.on('request', (it) => (asked += it.url().includes('/page/rows') ? 1 : 0));
      await page.routeWebSocket(/socket\.io/, (socket) => socket.close());
      await page.route('**/socket.io/**', (route) => route.abort());
      await page.clock.install();
    },
  });
  await expect.poll(() => asked, NOTICED).toBeGreaterThan(0);
  await setHidden(page, true);
  await page.clock.runFor(60_000);
  await act(podium.url, { userId: Ada, scoreIncrease: 1 });
  const before = asked;
  // The page's clock stands still: no timer helps.
  await setHidden(page, false);
  await expect.poll(() => asked).toBeGreaterThan(before);
  await expectBoard(page, ['1 Ada 31']);
});

for (const shift of [-HOUR, HOUR]) {
  const wrong = shift < 0 ? 'an hour late' : 'an hour early';

  test(`with a clock that is ${wrong} all times are the server's`, async ({ podium, open }) => {
    const { Ada } = await players(podium, { Ada: 30 });
    const page = await open({
      expectErrors: true,
      timezoneId: 'UTC',
      prepare: async (page) => {
        await shiftClock(page, shift);
        await noteConnections(page);
      },
    });
    await live(page);
    await expect
      .poll(async () => {
        await act(podium.url, { userId: Ada, scoreIncrease: 1 });
        return page.locator('.status .age').textContent();
      }, BACK)
      .toMatch(/^\d{1,5} ms$/);

    const near = (text) => {
      const [hours, minutes] = /(\d+):(\d+)/.exec(text).slice(1).map(Number);
      const said = (hours % 12) * 60 + minutes;
      const now = new Date();
      const is = (now.getUTCHours() % 12) * 60 + now.getUTCMinutes();
      const apart = Math.abs(said - is);
      return Math.min(apart, 720 - apart);
    };
    await page.getByRole('button', { name: 'Compare from now' }).click();
    const since = await page.locator('.since').textContent();
    expect(near(since)).toBeLessThanOrEqual(5);

    // Somebody sets it: back, which changes nothing, and ahead, which may be a sleep.
    // A heartbeat that a busy machine sends late is told, as some seconds.
    const before = (await connections(page)).length;
    await setClock(page, -2 * HOUR);
    await page.waitForTimeout(3_000);
    const said = (await connections(page)).slice(before);
    expect(said.filter((it) => !/^live|: \d{1,2} s old$/.test(it))).toEqual([]);
    await backLive(page);
    // Where the server is heard before the page has looked at its clocks, nobody has slept:
    // it is set when the next heartbeat is far away, and once more if that was not enough.
    let ahead = 0;
    await expect(async () => {
      const { score } = await act(podium.url, { userId: Ada, scoreIncrease: 1 });
      await expectBoard(page, [`1 Ada ${score}`]);
      ahead += 2 * HOUR;
      await setClock(page, ahead);
      const isOld = async () => (await connections(page)).some((it) => it.endsWith('h old'));
      await expect.poll(isOld, { timeout: 5_000 }).toBe(true);
    }).toPass();
    await backLive(page);
    await act(podium.url, { userId: Ada, scoreIncrease: 1 });
    await expect(page.locator('.status .age')).toHaveText(/^(\d{1,5} ms)?$/);

    podium.process.kill('SIGSTOP');
    await notLive(page);
    podium.process.kill('SIGCONT');
    await backLive(page);
    await podium.kill();
    await notLive(page);
    expect(near(await page.locator('.status').getAttribute('title'))).toBeLessThanOrEqual(5);
  });

  test.describe('before a start', () => {
    const START = '2126-01-01T12:00:00Z';
    test.use({ podiumEnv: { PODIUM_BOARD__STARTS: START } });

    test(`with a clock that is ${wrong} it starts when it does`, async ({ podium, open }) => {
      await players(podium, { Ada: 30 });
      let time = new Date(Date.parse(START) - HOUR / 2).toISOString();
      const page = await open({
        prepare: async (page) => {
          // The server is in that century, and the browser is an hour from it.
          await shiftClock(page, Date.parse(START) + Math.sign(shift) * (HOUR / 2) - Date.now());
          await page.routeWebSocket(/socket\.io/, (socket) => {
            const server = socket.connectToServer();
            server.onMessage((message) =>
              socket.send(String(message).replace(/"time":"[^"]*"/, `"time":"${time}"`)),
            );
          });
        },
      });
      await live(page);
      const start = page.locator('.start');
      await expect(start).toBeVisible();
      // It looks at the clocks every second.
      await page.waitForTimeout(3_000);
      await expect(start).toBeVisible();
      time = START;
      await expect(start).toHaveCount(0, NOTICED);
    });
  });
}

test('a server that knows no heartbeats is followed as before', async ({ podium, open }) => {
  const { Ada } = await players(podium, { Ada: 30 });
  const asked = [];
  const page = await open({
    prepare: async (page) => {
      await page.clock.install();
      await page.routeWebSocket(/socket\.io/, (socket) => {
        const server = socket.connectToServer();
        socket.onMessage((message) => {
          const [, id, event] = /^42(\d*)(\[.*)$/.exec(String(message)) ?? [];
          if (event?.includes('subscribe_scoreboard')) {
            asked.push(JSON.parse(event)[1]);
            if ('heartbeat' in asked.at(-1)) {
              const error = { code: 'invalid_message', message: 'Invalid message format' };
              socket.send(`42["error",{"message":"${error.message}"}]`);
              socket.send(`43${id}[${JSON.stringify({ ok: false, error })}]`);
              return;
            }
          }
          server.send(message);
        });
      });
    },
  });
  await live(page);
  await act(podium.url, { userId: Ada, scoreIncrease: 1 });
  await expectBoard(page, ['1 Ada 31']);
  expect(asked).toHaveLength(2);
  // It is not taken for dead because it is quiet.
  await page.clock.runFor(60_000);
  await expect(page.locator('.status')).toHaveAttribute('data-connection', 'live');
});

test.describe('a number that counts', () => {
  const moving = (prepare) => ({ reducedMotion: 'no-preference', prepare });

  /** A page on which Ada's score is on its way. */
  async function counting({ podium, open }) {
    const { Ada } = await players(podium, { Ada: 1_000_000 });
    const page = await open(moving(holdFrames));
    await live(page);
    await drawFrame(page);
    await act(podium.url, { userId: Ada, scoreIncrease: 1_000_000 });
    await expect.poll(() => awaitingFrame(page)).toBeGreaterThan(0);
    return { page, Ada };
  }

  test('ends at what is so where no more frames are drawn', async ({ podium, open }) => {
    const { page } = await counting({ podium, open });
    await drawFrame(page);
    await drawFrame(page);
    await expectBoard(page, ['1 Ada 2000000']);
    await drawFrame(page);
    await expectBoard(page, ['1 Ada 2000000']);
  });

  for (const [name, interrupt] of Object.entries({
    'when the page is hidden': (page) => setHidden(page, true),
    'when the page is printed': (page) =>
      page.evaluate(() => dispatchEvent(new Event('beforeprint'))),
  })) {
    test(`is what is so at once ${name}`, async ({ podium, open }) => {
      const { page } = await counting({ podium, open });
      // It would end by itself: time stands still.
      await page.evaluate(() => {
        const now = performance.now();
        performance.now = () => now;
        globalThis.setTimeout = () => 0;
      });
      await drawFrame(page);
      expect(await shownBoard(page)).not.toEqual(['1 Ada 2000000']);
      await interrupt(page);
      await expectBoard(page, ['1 Ada 2000000']);
      await drawFrame(page);
      expect(await shownBoard(page)).toEqual(['1 Ada 2000000']);
    });
  }

  test('is not held up by a wall clock that is set back', async ({ podium, open }) => {
    const { Ada } = await players(podium, { Ada: 1_000_000 });
    const page = await open(
      moving(async (page) => {
        await shiftClock(page, 0);
        await holdFrames(page);
      }),
    );
    await live(page);
    await act(podium.url, { userId: Ada, scoreIncrease: 1_000_000 });
    await expect.poll(() => awaitingFrame(page)).toBeGreaterThan(0);
    await drawFrame(page);
    await setClock(page, -HOUR);
    await expect
      .poll(async () => {
        await drawFrame(page);
        return shownBoard(page);
      })
      .toEqual(['1 Ada 2000000']);
  });

  for (const hidden of [false, true]) {
    const where = hidden ? 'a page that is hidden' : 'a frame that is out of sight';
    test(`piles nothing up in ${where}`, async ({ podium, open }) => {
      const { Ada } = await players(podium, { Ada: 1 });
      const page = await open(moving(holdFrames));
      await live(page);
      await drawFrame(page);
      await setHidden(page, hidden);
      for (let score = 2; score <= 15; score++) {
        await act(podium.url, { userId: Ada, scoreIncrease: 1 });
        await expectBoard(page, [`1 Ada ${score}`]);
      }
      expect(await awaitingFrame(page)).toBeLessThanOrEqual(hidden ? 0 : 2);
    });
  }
});
