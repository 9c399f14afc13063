// How the page stays in step with the server: what it asks for, what it does when
// something is lost, and what it says meanwhile.

import { randomUUID } from 'node:crypto';

import { act, request, startPodium, token } from './support/podium.mjs';
import { expect, expectBoard, live, players, signInPath, test, you } from './support/page.mjs';

/**
 * Listens to a page's sockets: the events that went either way, in order, and how many
 * CONNECT packets each socket sent.
 */
function listen(page) {
  const heard = { sockets: 0, sent: [], received: [], connects: [] };
  const events = (list) => ({ payload }) => {
    // Those that ask for an acknowledgement have a number before the bracket.
    const [, event] = /^42\d*(\[.*)$/s.exec(String(payload)) ?? [];
    if (event !== undefined) list.push(JSON.parse(event));
  };
  page.on('websocket', (socket) => {
    if (!socket.url().includes('/socket.io/')) return;
    const number = heard.sockets++;
    heard.connects.push(0);
    socket.on('framesent', ({ payload }) => {
      if (String(payload).startsWith('40')) heard.connects[number] += 1;
    });
    socket.on('framesent', events(heard.sent));
    socket.on('framereceived', events(heard.received));
  });
  return heard;
}

const names = (events) => events.map(([name]) => name);

function announce(podium, body) {
  const admin = token({ user: randomUUID(), role: 'admin' });
  return request(podium.url, 'POST', '/api/v1/notifications', { token: admin, body });
}

test('the page asks for what happened since it was rendered, and for no more', async ({
  podium,
  open,
}) => {
  const { Ada, Grace } = await players(podium, { Ada: 30, Grace: 20 });
  let heard;
  const page = await open({ prepare: (page) => (heard = listen(page)) });
  await live(page);
  await act(podium.url, { userId: Grace, scoreIncrease: 15 });
  await expectBoard(page, ['1 Grace 35', '2 Ada 30']);
  await act(podium.url, { userId: Ada, scoreIncrease: 1 });
  await expectBoard(page, ['1 Grace 35', '2 Ada 31']);

  const asked = heard.sent.filter(([name]) => name === 'subscribe_scoreboard');
  expect(asked).toHaveLength(1);
  expect(asked[0][1]).toMatchObject({ mode: 'delta', epoch: expect.any(String), seq: 4 });
  expect(names(heard.received)).not.toContain('leaderboard_refresh');
  const deltas = heard.received.filter(([name]) => name === 'scoreboard_delta');
  expect(deltas[0][1]).toMatchObject({ from: 4, to: 4, changes: [] });
  expect(deltas.at(-1)[1].changes.map(({ userId }) => userId)).toEqual([Ada]);
});

test('a packet that is lost is noticed and repaired', async ({ podium, open }) => {
  const { Ada, Grace } = await players(podium, { Ada: 30, Grace: 20 });
  let lost = 0;
  const prepare = (page) =>
    page.routeWebSocket(/socket\.io/, (socket) => {
      const server = socket.connectToServer();
      server.onMessage((message) => {
        const isFirst = String(message).includes('"scoreboard_delta"') && lost === 0;
        if (isFirst && !String(message).includes('"changes":[]')) lost += 1;
        else socket.send(message);
      });
    });
  const page = await open({ prepare });
  await live(page);
  await act(podium.url, { userId: Grace, scoreIncrease: 15 });
  await expect.poll(() => lost).toBe(1);
  await expectBoard(page, ['1 Ada 30', '2 Grace 20']);
  await act(podium.url, { userId: Ada, scoreIncrease: 1 });
  await expectBoard(page, ['1 Grace 35', '2 Ada 31']);
});

test('a gap is asked for once, however many deltas come before the answer', async ({
  podium,
  open,
}) => {
  const { Ada } = await players(podium, { Ada: 30 });
  let lost = 0;
  let deltas = 0;
  const asked = [];
  const prepare = (page) =>
    page.routeWebSocket(/socket\.io/, (socket) => {
      const server = socket.connectToServer();
      server.onMessage((message) => {
        const isChange = /"scoreboard_delta".*"changes":\[\{/.test(String(message));
        if (isChange) deltas += 1;
        if (isChange && lost === 0) lost += 1;
        else socket.send(message);
      });
      socket.onMessage((message) => {
        if (!String(message).includes('subscribe_scoreboard')) server.send(message);
        // The first is that of the connection; the next ones take long on their way.
        else if (asked.push(message) === 1) server.send(message);
      });
      releases.push((message) => server.send(message));
    });
  const releases = [];
  const page = await open({ prepare });
  await live(page);
  for (let n = 1; n <= 8; n++) {
    await act(podium.url, { userId: Ada, scoreIncrease: 1 });
    await expect.poll(() => deltas).toBe(n);
  }
  await expect.poll(() => asked.length).toBe(2);
  releases[0](asked[1]);
  await expectBoard(page, ['1 Ada 38']);
  expect(asked).toHaveLength(2);
});

test('a page that is refused the rows asks again', async ({ podium, open }) => {
  const { Ada } = await players(podium, { Ada: 30 });
  let refused = 0;
  // As where somebody's other pages have used up the events of the minute.
  const prepare = (page) =>
    page.routeWebSocket(/socket\.io/, (socket) => {
      const server = socket.connectToServer();
      socket.onMessage((message) => {
        if (refused === 0 && String(message).includes('subscribe_scoreboard')) {
          refused += 1;
          socket.send('42["error",{"message":"Rate limit exceeded"}]');
        } else {
          server.send(message);
        }
      });
    });
  const page = await open({ prepare });
  await live(page);
  expect(refused).toBe(1);
  await act(podium.url, { userId: Ada, scoreIncrease: 1 });
  await expectBoard(page, ['1 Ada 31']);
});

test('what is shown while the server is away says how old it is', async ({ podium, open }) => {
  await players(podium, { Ada: 30 });
  const page = await open({ expectErrors: true });
  await live(page);
  const status = page.locator('.status');
  await expect(status).toHaveText('Live');
  await podium.kill();
  await expect(status).toContainText(/[2-9] s old/);
  await expect(page.locator('ol.board')).toHaveAttribute('data-stale', '');

  const { host } = new URL(podium.url);
  const again = await startPodium({ database: podium.database, env: { LEPTOS_SITE_ADDR: host } });
  try {
    await expect(status).toHaveText('Live', { timeout: 30_000 });
    await expect(page.locator('ol.board')).not.toHaveAttribute('data-stale', '');
  } finally {
    await again.stop();
  }
});

test('banners are few, go when their time is over, and come once', async ({ podium, open }) => {
  const page = await open({ expectErrors: true });
  await live(page);
  const banners = page.locator('.toasts .notice');
  const say = (message, more) => announce(podium, { message, ...more });
  // It may be over before anybody looks.
  await page.evaluate(() => {
    globalThis.shown = '';
    const note = () => {
      for (const it of document.querySelectorAll('.toasts .notice')) globalThis.shown += it.textContent;
    };
    new MutationObserver(note).observe(document, { subtree: true, childList: true });
  });
  await say('short', { duration: 2_000 });
  await expect.poll(() => page.evaluate(() => globalThis.shown)).toContain('short');
  await expect(banners).toHaveCount(0);

  await say('broken', { severity: 'error', duration: 1000 });
  for (const word of ['one', 'two', 'three']) await say(word);
  await expect(banners).toHaveText([/broken/, /three/, /two/]);
  await expect(page.getByRole('alert')).toContainText('broken');
  await banners.filter({ hasText: 'three' }).getByRole('button').click();
  await expect(banners).toHaveText([/broken/, /two/]);

  // What was dismissed is valid still, and is told again to whoever connects.
  await podium.kill();
  await expect(page.locator('[data-connection=reconnecting]')).toBeVisible();
  const { host } = new URL(podium.url);
  const again = await startPodium({ database: podium.database, env: { LEPTOS_SITE_ADDR: host } });
  try {
    await expect(page.locator('[data-connection=live]')).toBeVisible({ timeout: 30_000 });
    await announce(again, { message: 'four' });
    await expect(banners).toHaveText([/broken/, /four/, /two/]);
  } finally {
    await again.stop();
  }
});

test.describe('a token that ends soon', () => {
  test.use({ podiumEnv: { PODIUM_AUTH__PAGE_TOKEN_TTL: '10s' } });

  for (const who of ['a viewer', 'a player']) {
    test(`is renewed before it does, and ${who} notices nothing`, async ({ podium, open }) => {
      test.slow();
      const { Ada } = await players(podium, { Ada: 30 });
      const path = who === 'a player' ? signInPath(Ada) : '/';
      let heard;
      const page = await open({ path, prepare: (page) => (heard = listen(page)) });
      await live(page);
      const renewals = () => names(heard.sent).filter((name) => name === 'refresh_token').length;
      // By the second, the token with which the page connected has ended.
      await expect.poll(renewals, { timeout: 40_000 }).toBe(2);
      await act(podium.url, { userId: Ada, scoreIncrease: 1 });
      await expectBoard(page, ['1 Ada 31']);
      expect(heard.sockets).toBe(1);
      expect(names(heard.received)).not.toContain('error');
      expect(names(heard.received)).not.toContain('session_expired');
    });
  }

  /** Whose token a browser has, from now on. */
  const signIn = (page, podium, user) =>
    page.context().addCookies([
      { name: 'podium_token', value: token({ user }), url: podium.url, httpOnly: true },
    ]);

  test('is renewed for whoever is signed in by then, and the socket is theirs', async ({
    podium,
    open,
  }) => {
    test.setTimeout(120_000);
    const above = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`P${i}`, 100 - i]));
    const { Ada, Grace } = await players(podium, { ...above, Ada: 50, Grace: 20, Alan: 10 });
    let heard;
    const page = await open({ path: signInPath(Ada), prepare: (page) => (heard = listen(page)) });
    await live(page);
    const dock = page.locator('#you');
    const name = dock.locator('.you-name');
    await expect(name).toHaveText('Ada');
    const own = () => heard.sent.filter(([event]) => event === 'subscribe_user_score').at(-1)[1];

    await signIn(page, podium, Grace);
    await expect(name).toHaveText('Grace', { timeout: 20_000 });
    await expect.poll(own).toBe(Grace);
    await live(page);
    // Off the visible board only the own socket says how the score is.
    await act(podium.url, { userId: Grace, scoreIncrease: 1 });
    await expect(you(page, 'score')).toHaveText('21');
    await expect(you(page, 'rank')).toHaveText('#14');
    await dock.getByText('Around you').click();
    await expect(dock.locator('[aria-current]')).toHaveText(/#14\s*Grace\s*21/);
    expect(heard.sockets).toBe(2);
    expect(names(heard.received)).not.toContain('session_expired');

    // A sign-in that has ended, and another one after it.
    await page.context().clearCookies();
    await expect(dock).toHaveCount(0, { timeout: 20_000 });
    await signIn(page, podium, Ada);
    await expect(name).toHaveText('Ada', { timeout: 20_000 });
    await expect.poll(own).toBe(Ada);
    await live(page);
    await act(podium.url, { userId: Ada, scoreIncrease: 1 });
    await expect(you(page, 'score')).toHaveText('51');
    expect(heard.connects).toEqual([1, 1, 1, 1]);
    expect(names(heard.received)).not.toContain('error');
    expect(names(heard.received)).not.toContain('session_expired');
  });

  test('and cannot be renewed in time is followed by another one', async ({ podium, open }) => {
    test.setTimeout(90_000);
    const { Ada } = await players(podium, { Ada: 30 });
    let heard;
    const isOver = () => names(heard.received).includes('session_expired');
    const prepare = async (page) => {
      heard = listen(page);
      await page.route('**/page/token', (route) => (isOver() ? route.continue() : route.abort()));
    };
    const page = await open({ expectErrors: true, path: signInPath(Ada), prepare });
    await live(page);
    await expect.poll(isOver, { timeout: 20_000 }).toBe(true);
    await expect.poll(() => heard.sockets, { timeout: 20_000 }).toBe(2);
    await live(page);
    await expect(page.locator('#you .you-name')).toHaveText('Ada');
    await act(podium.url, { userId: Ada, scoreIncrease: 1 });
    await expectBoard(page, ['1 Ada 31']);
    expect(heard.connects).toEqual([1, 1]);
  });
});

test.describe('a token that ends less soon', () => {
  // After the first attempt at 70 % to 80 % of it, so much is left for the second.
  test.use({ podiumEnv: { PODIUM_AUTH__PAGE_TOKEN_TTL: '20s' } });

  test('is renewed by a later attempt where one fails without a connection', async ({
    podium,
    open,
  }) => {
    test.setTimeout(150_000);
    const { Ada } = await players(podium, { Ada: 30 });
    let heard;
    let cut;
    let mayConnect;
    let asked = 0;
    let renewed = 0;
    const prepare = async (page) => {
      heard = listen(page);
      await page.routeWebSocket(/socket\.io/, async (socket) => {
        await mayConnect;
        const server = socket.connectToServer();
        cut = () => Promise.all([server.close(), socket.close()]);
      });
      await page.route('**/page/token', async (route) => {
        asked += 1;
        if (asked > 1) {
          await route.continue();
          renewed += 1;
          return;
        }
        let allow;
        mayConnect = new Promise((resolve) => (allow = resolve));
        await cut();
        await expect(page.locator('[data-connection=reconnecting]')).toBeVisible();
        await route.abort();
        allow();
      });
    };
    const page = await open({ expectErrors: true, prepare });
    await live(page);
    // The next attempt may follow before anybody looks.
    await expect.poll(() => asked, { timeout: 40_000 }).toBeGreaterThan(0);
    await expect.poll(() => renewed, { timeout: 20_000 }).toBeGreaterThan(0);
    await live(page);
    // By the third renewal the token of the connection before would have ended.
    await expect.poll(() => renewed, { timeout: 60_000 }).toBeGreaterThan(2);
    await act(podium.url, { userId: Ada, scoreIncrease: 1 });
    await expectBoard(page, ['1 Ada 31']);
    expect(names(heard.received)).not.toContain('session_expired');
  });
});
