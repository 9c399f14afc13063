// The page in a real browser, from a score action to a row that moves.

import { act, actAll, publisherToken, request, startPodium } from './support/podium.mjs';
import {
  expect,
  expectBoard,
  live,
  players,
  refreshSoon,
  row,
  rows,
  signInPath,
  test,
  you,
} from './support/page.mjs';

test('an action reaches every open page, and the page of whoever acted', async ({ podium, open }) => {
  const { Ada, Grace } = await players(podium, { Ada: 30, Grace: 20, Alan: 1000 });
  const viewer = await open();
  const grace = await open({ path: signInPath(Grace) });
  for (const page of [viewer, grace]) {
    await live(page);
    await expectBoard(page, ['1 Alan 1000', '2 Ada 30', '3 Grace 20']);
  }
  await expect(you(grace, 'rank')).toHaveText('#3');
  await expect(viewer.locator('#you')).toHaveCount(0);

  await act(podium.url, { userId: Grace, scoreIncrease: 25 });
  for (const page of [viewer, grace]) {
    await expectBoard(page, ['1 Alan 1000', '2 Grace 45', '3 Ada 30']);
  }
  await expect(you(grace, 'rank')).toHaveText('#2');
  await expect(you(grace, 'score')).toHaveText('45');
  await expect(row(viewer, Grace).locator('.gain')).toHaveAttribute('data-gain', 'up');
  await expect(row(viewer, Ada).locator('.gain')).toHaveAttribute('data-gain', 'down');
});

test('the page of a player far below the visible board is live too', async ({ podium, open }) => {
  const scores = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`Player ${i}`, 100 - i]));
  const ids = await players(podium, { ...scores, Last: 1 });
  const page = await open({ path: signInPath(ids.Last) });
  await live(page);
  await expect(rows(page)).toHaveCount(10);
  await expect(you(page, 'rank')).toHaveText('#13');
  await act(podium.url, { userId: ids.Last, scoreIncrease: 88 });
  await expect(you(page, 'score')).toHaveText('89');
  await expect(you(page, 'rank')).toHaveText('#13');
  await act(podium.url, { userId: ids.Last, scoreIncrease: 1000 });
  await expect(you(page, 'rank')).toHaveText('#1');
  await expect(rows(page).first()).toHaveAttribute('data-user-id', ids.Last);
});

test('a player who leaves the board leaves the race chart', async ({ podium, open }) => {
  const { Ada, Grace } = await players(podium, { Ada: 30, Grace: 20, Alan: 10 });
  await act(podium.url, { userId: Ada, scoreIncrease: 1 });
  const page = await open();
  // A page does not wait long for its race chart; the next one has it.
  await expect(async () => {
    await page.reload();
    await expect(page.locator('.race')).toBeVisible({ timeout: 1 });
  }).toPass();
  await live(page);
  await page.locator('.race summary').click();
  const shown = (selector) =>
    page.locator(`.race ${selector}`).evaluateAll((found) => {
      const isShown = (element) => getComputedStyle(element).display !== 'none';
      return found.filter(isShown).map((element) => element.textContent);
    });
  const names = async () => (await shown('.legend li')).map((text) => text.replace(/\d+$/, ''));
  const columns = async () => (await shown('tr:first-child td')).length;
  const lines = async () => (await shown('path')).length;
  expect(await names()).toEqual(['Ada', 'Grace', 'Alan']);
  expect(await shown('thead th')).toEqual(['Time', 'Ada', 'Grace', 'Alan']);

  const path = `/api/v1/users/${Grace}`;
  const { status } = await request(podium.url, 'DELETE', path, { token: publisherToken() });
  expect(status).toBe(204);
  await expectBoard(page, ['1 Ada 31', '2 Alan 10']);
  await expect.poll(names).toEqual(['Ada', 'Alan']);
  expect(await shown('thead th')).toEqual(['Time', 'Ada', 'Alan']);
  expect([await columns(), await lines()]).toEqual([2, 2]);
});

test('a row is the same element wherever its user goes', async ({ podium, open }) => {
  const { Ada, Alan } = await players(podium, { Ada: 10, Grace: 20, Alan: 30 });
  const page = await open();
  await live(page);
  await row(page, Ada).evaluate((element) => (element.mark = 'Ada'));
  await act(podium.url, { userId: Ada, scoreIncrease: 1000 });
  await expectBoard(page, ['1 Ada 1010', '2 Alan 30', '3 Grace 20']);
  expect(await row(page, Ada).evaluate((element) => element.mark)).toBe('Ada');
  expect(await row(page, Alan).evaluate((element) => element.mark)).toBeUndefined();
});

test('rows glide to their places', async ({ podium, open }) => {
  const { Ada } = await players(podium, { Ada: 10, Grace: 20 });
  const page = await open({ reducedMotion: 'no-preference' });
  await live(page);
  // Animations are noted as they begin: they may be over before anybody looks.
  await page.evaluate(() => {
    globalThis.glides = [];
    const { animate } = Element.prototype;
    Element.prototype.animate = function (frames, options) {
      if (frames[0].transform) globalThis.glides.push(this.dataset.userId);
      return animate.call(this, frames, options);
    };
  });
  await act(podium.url, { userId: Ada, scoreIncrease: 1000 });
  await expect.poll(() => page.evaluate(() => globalThis.glides.length)).toBe(2);
});

test('who wants no motion sees none', async ({ podium, open }) => {
  const { Ada } = await players(podium, { Ada: 10, Grace: 20 });
  const page = await open({ reducedMotion: 'reduce' });
  await live(page);
  await page.evaluate(() => {
    globalThis.frames = [];
    const { animate } = Element.prototype;
    Element.prototype.animate = function (frames, options) {
      globalThis.frames.push(frames[0]);
      return animate.call(this, frames, options);
    };
  });
  await act(podium.url, { userId: Ada, scoreIncrease: 1000 });
  // The highlight of the changed score comes in the same frame as a glide would.
  await expect.poll(() => page.evaluate(() => globalThis.frames.length)).toBeGreaterThan(0);
  expect(await page.evaluate(() => globalThis.frames.some((frame) => frame.transform))).toBe(false);
});

test('without scripts the board is all there', async ({ podium, open }) => {
  test.slow();
  const { Ada } = await players(podium, { Ada: 1234, Grace: 20 });
  const page = await open({ javaScriptEnabled: false, path: signInPath(Ada) });
  await expectBoard(page, ['1 Ada 1234', '2 Grace 20']);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Podium');
  await expect(page.getByText('2 players')).toBeVisible();
  await expect(you(page, 'rank')).toHaveText('#1');
  // Nothing claims to be connecting.
  await expect(page.locator('.status')).toBeHidden();
  await expect(page.getByText('Not live.')).toBeVisible();
  // Whoever types is not to be interrupted by it: a search has a page of its own.
  await expect(page.getByRole('searchbox')).toBeHidden();
  await page.getByRole('link', { name: 'Find a player' }).click();
  await page.getByRole('searchbox').fill('gra');
  await page.getByRole('searchbox').press('Enter');
  await expect(page.getByRole('link', { name: 'Grace' })).toBeVisible();
  await expect(page.locator('meta[http-equiv=refresh]')).toHaveCount(0);
  await page.goBack();
  await page.goBack();
  // It asks for the newest board by itself, unless that is not wanted.
  await page.getByRole('link', { name: 'Stop refreshing' }).click();
  await expect(page.getByText('Not live.')).toBeVisible();
  await expect(page.getByRole('searchbox')).toBeVisible();
  await expect(page.locator('meta[http-equiv=refresh]')).toHaveCount(0);
  await refreshSoon(page);
  await page.getByRole('link', { name: 'Refresh every 30 seconds' }).click();
  await expect(page.getByRole('link', { name: 'Stop refreshing' })).toBeVisible();
  await act(podium.url, { userId: Ada, scoreIncrease: -1230 });
  await expect(rows(page).first()).toContainText('Grace');
});

test('where WebSocket is blocked the page is live by polling', async ({ podium, open }) => {
  const { Grace } = await players(podium, { Ada: 30, Grace: 20 });
  const blocked = () => {
    globalThis.WebSocket = class {
      constructor() {
        setTimeout(() => this.onerror(new Event('error')));
      }
      close() {}
    };
  };
  const page = await open({ prepare: (page) => page.addInitScript(blocked) });
  await live(page);
  await act(podium.url, { userId: Grace, scoreIncrease: 25 });
  await expectBoard(page, ['1 Grace 45', '2 Ada 30']);
});

test('an empty board says so, and the first player appears', async ({ podium, open }) => {
  const page = await open();
  await live(page);
  await expect(page.getByText('Nobody is on the board yet')).toBeVisible();
  await players(podium, { Ada: 7 });
  await expectBoard(page, ['1 Ada 7']);
  await expect(page.getByText('Nobody is on the board yet')).toHaveCount(0);
  await expect(page.getByText('1 player')).toBeVisible();
});

test('names are text, whatever they say', async ({ podium, open }) => {
  const names = [
    '</script><script>globalThis.hacked = 1</script>',
    '<img src=x onerror="globalThis.hacked = 2">',
    '"\'&amp;\\u003c`${1}`',
    'محمد بن سلمان',
    '👩‍🚀 Zoë 李小龍',
  ];
  const ids = await players(podium, Object.fromEntries(names.map((name, i) => [name, 100 - i])));
  const page = await open({ path: signInPath(Object.values(ids)[0]) });
  await live(page);
  await expectBoard(page, names.map((name, i) => `${i + 1} ${name} ${100 - i}`));
  await act(podium.url, { userId: Object.values(ids)[1], scoreIncrease: 50 });
  await expect(rows(page).first()).toContainText('<img src=x');
  expect(await page.evaluate(() => globalThis.hacked)).toBeUndefined();
});

test('a server that dies and comes back is followed', async ({ podium, open }) => {
  const { Ada, Grace } = await players(podium, { Ada: 30, Grace: 20 });
  // The browser reports every attempt to connect that fails.
  const page = await open({ expectErrors: true, path: signInPath(Grace) });
  await live(page);
  await podium.kill();
  await expect(page.locator('[data-connection=reconnecting]')).toBeVisible();
  await expect(page.locator('ol.board')).toHaveAttribute('data-stale', '');
  await expectBoard(page, ['1 Ada 30', '2 Grace 20']);

  const { host } = new URL(podium.url);
  const again = await startPodium({ database: podium.database, env: { LEPTOS_SITE_ADDR: host } });
  try {
    await act(again.url, { userId: Grace, scoreIncrease: 25 });
    await expect(page.locator('[data-connection=live]')).toBeVisible({ timeout: 30_000 });
    await expectBoard(page, ['1 Grace 45', '2 Ada 30']);
    await act(again.url, { userId: Ada, scoreIncrease: 100 });
    await expectBoard(page, ['1 Ada 130', '2 Grace 45']);
    await expect(you(page, 'rank')).toHaveText('#2');
  } finally {
    await again.stop();
  }
});

test('a server that stops says so, and the page comes back to the next', async ({ podium, open }) => {
  const { Ada } = await players(podium, { Ada: 30 });
  const page = await open({ expectErrors: true });
  await live(page);
  await podium.stop();
  await expect(page.locator('[data-connection=reconnecting]')).toBeVisible();
  const { host } = new URL(podium.url);
  const again = await startPodium({ database: podium.database, env: { LEPTOS_SITE_ADDR: host } });
  try {
    await expect(page.locator('[data-connection=live]')).toBeVisible({ timeout: 30_000 });
    await act(again.url, { userId: Ada, scoreIncrease: 1 });
    await expectBoard(page, ['1 Ada 31']);
  } finally {
    await again.stop();
  }
});

test('a link signs in, and a button signs out', async ({ podium, open }) => {
  const { Ada } = await players(podium, { Ada: 30, Grace: 20 });
  const page = await open({ path: signInPath(Ada) });
  await live(page);
  // The token does not stay in the address, where it would be shared.
  expect(new URL(page.url()).search).toBe('');
  await expect(row(page, Ada)).toHaveAttribute('data-you', '');
  await expect(page.locator('#you .you-name')).toHaveText('Ada');
  const [cookie] = await page.context().cookies();
  expect(cookie).toMatchObject({ name: 'podium_token', httpOnly: true, sameSite: 'Lax' });

  await page.getByRole('button', { name: 'Sign out' }).click();
  await live(page);
  await expect(page.locator('#you')).toHaveCount(0);
  expect(await page.context().cookies()).toEqual([]);
});

test('a link for somebody else asks first', async ({ podium, open }) => {
  const { Ada, Grace } = await players(podium, { Ada: 30, Grace: 20 });
  const page = await open({ path: signInPath(Ada) });
  await live(page);
  await page.goto(new URL(`${signInPath(Grace)}&lang=en`, podium.url).href);
  await expect(page.getByRole('heading', { name: 'Sign in as somebody else?' })).toBeVisible();
  await page.getByRole('link', { name: 'Stay' }).click();
  await live(page);
  await expect(page.locator('#you .you-name')).toHaveText('Ada');

  await page.goto(new URL(signInPath(Grace), podium.url).href);
  await page.getByRole('button', { name: 'Sign in as' }).click();
  await live(page);
  expect(new URL(page.url()).search).toBe('');
  await expect(page.locator('#you .you-name')).toHaveText('Grace');
});

test('when the sign-in has ended the page is a viewer again', async ({ podium, open }) => {
  const { Ada } = await players(podium, { Ada: 30 });
  const page = await open({ expectErrors: true, path: signInPath(Ada) });
  await live(page);
  await expect(you(page, 'rank')).toHaveText('#1');
  // A server with another key does not know the token any more.
  await podium.kill();
  await expect(page.locator('[data-connection=reconnecting]')).toBeVisible();
  const { host } = new URL(podium.url);
  const env = { LEPTOS_SITE_ADDR: host, JWT_SECRET: 'another-key-0f3b8c5d7e9a1b2c4d6e8f0a' };
  const again = await startPodium({ database: podium.database, env });
  try {
    await expect(page.locator('[data-connection=live]')).toBeVisible({ timeout: 30_000 });
    await expect(page.locator('#you')).toHaveCount(0);
    await expectBoard(page, ['1 Ada 30']);
  } finally {
    await again.stop();
  }
});

test('a player hears of being passed', async ({ podium, open }) => {
  const scores = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`Player ${i}`, 100 - i]));
  const ids = await players(podium, { ...scores, Last: 1 });
  const page = await open({ path: signInPath(ids['Player 11']) });
  await live(page);
  await expect(you(page, 'rank')).toHaveText('#12');
  await act(podium.url, { userId: ids.Last, scoreIncrease: 1000 });
  await expect(you(page, 'rank')).toHaveText('#13');
});

test('a link that is not valid says so, and shows the board', async ({ podium, open }) => {
  await players(podium, { Ada: 30 });
  const page = await open({ path: '/?token=forged' });
  await live(page);
  await expect(page.getByText('This sign-in link is not valid')).toBeVisible();
  expect(new URL(page.url()).search).toBe('?signin=failed');
  await expectBoard(page, ['1 Ada 30']);
});

test('many actions at once end in the board of the server', async ({ podium, open }) => {
  const names = Array.from({ length: 15 }, (_, i) => `Player ${i}`);
  const ids = Object.values(await players(podium, Object.fromEntries(names.map((n) => [n, 0]))));
  const page = await open();
  await live(page);
  const scores = new Map(ids.map((id) => [id, 0]));
  for (let round = 0; round < 20; round++) {
    // The last digits are each player's own, so that no two end level.
    const actions = ids.map((userId, i) => {
      return { userId, scoreIncrease: ((round * 7 + i * 5) % 15) * 1000 + i };
    });
    for (const { userId, scoreIncrease } of actions) {
      scores.set(userId, scores.get(userId) + scoreIncrease);
    }
    await actAll(podium.url, actions);
  }
  const expected = [...scores.entries()]
    .sort(([, a], [, b]) => b - a)
    .slice(0, 10)
    .map(([id, score], i) => `${i + 1} ${names[ids.indexOf(id)]} ${score}`);
  expect(new Set(scores.values()).size).toBe(ids.length);
  await expectBoard(page, expected);
});

test('an address that leads nowhere is answered kindly', async ({ open }) => {
  // The browser reports the 404 on the console.
  const page = await open({ path: '/nowhere', expectErrors: true });
  await expect(page.getByRole('heading', { name: 'Nothing here' })).toBeVisible();
  await page.getByRole('link', { name: 'To the board' }).click();
  await live(page);
});
