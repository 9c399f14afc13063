// Several boards: the menu that leads from one to the other, live updates of each on its own,
// teams, second scores, and pages that need no script.

import { expect, live, row, rows, signInPath, test } from './support/page.mjs';
import { act } from './support/podium.mjs';
import { actOn, put, remove, withBoards } from './support/several.mjs';

const tooWide = (page) =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

const menu = (page) => page.locator('.board-bar details');

test('the menu leads to another board by keyboard and by pointer', async ({ podium, open }) => {
  await withBoards(podium);
  const page = await open();
  await live(page);
  const summary = menu(page).locator('summary');
  await summary.focus();
  await page.keyboard.press('Enter');
  await expect(menu(page)).toHaveAttribute('open', '');
  await expect(menu(page).locator('a[aria-current]')).toHaveAttribute('href', '/');
  await page.keyboard.press('Escape');
  await expect(menu(page)).not.toHaveAttribute('open');
  await expect(summary).toBeFocused();
  await page.keyboard.press('Enter');
  const sprint = menu(page).getByRole('link', { name: 'Sprint' });
  for (let tabs = 0; tabs < 8; tabs += 1) {
    await page.keyboard.press('Tab');
    if (await sprint.evaluate((link) => link === document.activeElement)) break;
  }
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/\/b\/sprint$/);
  await expect(page.locator('h1')).toHaveText('Sprint, 400 m');
  await live(page);

  await summary.click();
  await page.locator('h1').click();
  await expect(menu(page)).not.toHaveAttribute('open');
  await summary.click();
  await menu(page).getByRole('link', { name: 'Distance' }).click();
  await expect(page).toHaveURL(/\/b\/distance$/);
  await live(page);
  await expect(rows(page).first().locator('[data-field=score]')).toHaveText('421.95\u{202f}km');
  await expect(rows(page).first().locator('.second')).toHaveText('12');
});

test('each board is live on its own', async ({ podium, open }) => {
  const [ada, , , edsger] = await withBoards(podium);
  const main = await open();
  const sprint = await open({ path: '/b/sprint' });
  const weekly = await open({ path: '/b/weekly' });
  for (const page of [main, sprint, weekly]) await live(page);
  const score = (page, id) => row(page, id).locator('[data-field=score]');
  await expect(score(sprint, ada)).toHaveText('0:58.204');
  await actOn(podium, 'sprint', { userId: edsger, scoreIncrease: 51_007 });
  await expect(score(sprint, edsger)).toHaveText('0:51.007');
  await expect(rows(sprint).first()).toHaveAttribute('data-user-id', edsger);
  await expect(rows(sprint).nth(1).locator('.behind')).toHaveText('0:07.197 behind');
  await act(podium.url, { userId: edsger, scoreIncrease: 10_000 });
  await expect(score(main, edsger)).toHaveText('11,807');
  await expect(score(weekly, edsger)).toHaveText('11,807');
  await expect(score(sprint, edsger)).toHaveText('0:51.007');
});

test('what is yours is of the board that is shown', async ({ podium, open }) => {
  const [, grace] = await withBoards(podium);
  const page = await open({ path: signInPath(grace) });
  await live(page);
  await page.goto(new URL('/b/sprint', podium.url).href);
  await live(page);
  const own = page.locator('#you [data-field=score]');
  await expect(own).toHaveText('0:59.581');
  await actOn(podium, 'sprint', { userId: grace, scoreIncrease: 50_000 });
  await expect(own).toHaveText('0:50.000');
  await expect(page.locator('#you [data-field=rank]')).toHaveText('#1');
});

test('teams stand on their board, and their rows lead to their members', async ({ podium, open }) => {
  const [ada] = await withBoards(podium);
  const page = await open({ path: '/b/teams' });
  await live(page);
  await expect(page.locator('.players')).toHaveText('2 teams');
  await rows(page).first().getByRole('link', { name: 'Northern Lights' }).click();
  await expect(page).toHaveURL(/\/b\/teams\/players\/[0-9a-f-]{36}$/);
  await expect(page.locator('h1')).toHaveText('Northern Lights');
  const members = page.locator('.members tbody tr');
  await expect(members.first()).toContainText('Ada Lovelace');
  await members.first().getByRole('link').click();
  await expect(page).toHaveURL(new RegExp(`/players/${ada}$`));
});

test('a season is named, and its end is in the time of the reader', async ({ podium, open }) => {
  await withBoards(podium);
  const page = await open({ path: '/b/weekly', timezoneId: 'Asia/Tokyo' });
  const term = page.locator('.board-bar .term');
  await expect(term).toHaveText(/^Week \d+ · ends /);
  await expect(term).not.toContainText('UTC');
  await live(page);
});

test('an empty board says so', async ({ podium, open }) => {
  await put(podium, 'boards/new', { title: 'Not begun' });
  const page = await open({ path: '/b/new' });
  await expect(page.locator('.message h2')).toHaveText('Nobody has a result yet');
  await live(page);
});

test('all of it works without scripts', async ({ podium, open }) => {
  const [ada] = await withBoards(podium);
  const page = await open({ javaScriptEnabled: false });
  await menu(page).locator('summary').click();
  await menu(page).getByRole('link', { name: 'All boards' }).click();
  await expect(page.locator('.boards > li')).toHaveCount(5);
  await expect(page.locator('.boards > li').filter({ hasText: 'Sprint' })).toContainText('0:58.204');
  await page.getByRole('link', { name: 'Sprint' }).click();
  await expect(page.locator('h1')).toHaveText('Sprint, 400 m');
  await row(page, ada).getByRole('link').click();
  await expect(page).toHaveURL(new RegExp(`/b/sprint/players/${ada}$`));
  await expect(page.locator('.standings li')).toHaveCount(4);
  await page.locator('.standings').getByRole('link', { name: 'Distance' }).click();
  await expect(page).toHaveURL(new RegExp(`/b/distance/players/${ada}$`));
});

test('nothing scrolls sideways on a small phone', async ({ podium, open }) => {
  const [ada] = await withBoards(podium);
  await put(podium, 'boards/long', { title: `A title that is long: ${'Wettkampf'.repeat(8)}` });
  const viewport = { width: 320, height: 640 };
  const page = await open({ viewport });
  for (const path of ['/', '/b/sprint', '/b/distance', '/b/weekly', '/b/teams', '/b/long']) {
    await page.goto(new URL(path, podium.url).href);
    await live(page);
    await menu(page).locator('summary').click();
    expect(await tooWide(page), path).toBeLessThanOrEqual(0);
  }
  for (const path of ['/boards', `/b/sprint/players/${ada}`, '/b/distance?q=a']) {
    await page.goto(new URL(path, podium.url).href);
    expect(await tooWide(page), path).toBeLessThanOrEqual(0);
  }
});

test('a kiosk turns from board to board', async ({ podium, open }) => {
  await withBoards(podium);
  const page = await open({ path: '/?kiosk&boards=main,sprint,distance&every=5' });
  await expect(page.locator('body')).toHaveAttribute('data-view', 'kiosk');
  for (const name of ['sprint', 'distance']) {
    await page.waitForURL(new RegExp(`/b/${name}\\?view=kiosk`), { timeout: 20_000 });
    await expect(page.locator('body')).toHaveAttribute('data-view', 'kiosk');
  }
});

for (const javaScriptEnabled of [true, false]) {
  const how = javaScriptEnabled ? '' : ' without scripts';
  test(`a kiosk turns on where a board is gone${how}`, async ({ podium, open }) => {
    await withBoards(podium);
    const path = '/?kiosk&boards=main,gone,sprint,distance&every=5';
    const page = await open({ path, javaScriptEnabled });
    await page.waitForURL(/\/b\/sprint\?view=kiosk/, { timeout: 20_000 });
    // The page leads to this one already.
    await remove(podium, 'boards/distance?confirm=distance');
    await page.waitForURL(/\/\?view=kiosk/, { timeout: 20_000 });
    await expect(page.locator('body')).toHaveAttribute('data-view', 'kiosk');
    await expect(page.locator('.message')).toHaveCount(0);
  });
}

test('a kiosk with no other board stays as it is', async ({ podium, open }) => {
  await withBoards(podium);
  const page = await open({ path: '/?kiosk&boards=main,gone&every=5' });
  await live(page);
  await page.evaluate(() => (globalThis.isSame = true));
  // It asks a second time after it has looked at the first answer.
  for (let asked = 0; asked < 2; asked += 1) {
    await page.waitForRequest((request) => request.url().includes('/b/gone'), { timeout: 20_000 });
  }
  expect(await page.evaluate(() => globalThis.isSame)).toBe(true);
  await put(podium, 'boards/gone', { title: 'Here it is' });
  await page.waitForURL(/\/b\/gone\?view=kiosk/, { timeout: 20_000 });
});

test('a board for people who have signed in says how to see it', async ({ podium, open }) => {
  const [ada] = await withBoards(podium);
  // What is derived from a private board is private too.
  const period = { every: 'week', zone: 'Europe/Vienna' };
  await put(podium, 'boards/weekly', { of: 'main', period, visibility: 'private' });
  await put(podium, 'boards/teams', { of: 'main', by: 'team', visibility: 'private' });
  await put(podium, 'boards/main', { title: 'Ours', everyone: true, visibility: 'private' });
  // The browser reports the 404 on the console.
  const page = await open({ javaScriptEnabled: false, expectErrors: true });
  await expect(page.locator('h1')).toHaveText('Sign in to see this board');
  await expect(page.locator('body')).not.toContainText('Ours');
  await page.getByRole('link', { name: 'All boards' }).click();
  await expect(page.locator('.boards > li')).toHaveCount(2);
  await page.goto(new URL(signInPath(ada), podium.url).href);
  await expect(page.locator('h1')).toHaveText('Ours');
});
