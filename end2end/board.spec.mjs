// What a viewer can do with the board, and what the board tells of its own accord.

import { act, actAll } from './support/podium.mjs';
import { expect, expectBoard, live, players, row, signInPath, test, you } from './support/page.mjs';

test('a held board stands still, counts what waits, and shows it when it is let go', async ({ podium, open }) => {
  const { Ada, Grace } = await players(podium, { Ada: 30, Grace: 20 });
  const page = await open({ path: signInPath(Grace) });
  const other = await open();
  await live(page);
  await live(other);
  await page.getByRole('button', { name: 'Pause' }).click();
  await act(podium.url, { userId: Grace, scoreIncrease: 25 });
  await expectBoard(other, ['1 Grace 45', '2 Ada 30']);
  await expect(page.getByText('Waiting: 1')).toBeVisible();
  await expectBoard(page, ['1 Ada 30', '2 Grace 20']);
  await expect(you(page, 'score')).toHaveText('20');

  await page.getByRole('button', { name: 'Resume' }).click();
  await expectBoard(page, ['1 Grace 45', '2 Ada 30']);
  await expect(you(page, 'score')).toHaveText('45');
  await expect(page.getByText('Waiting:')).toHaveCount(0);
  await act(podium.url, { userId: Ada, scoreIncrease: 1 });
  await expectBoard(page, ['1 Grace 45', '2 Ada 31']);
});

test('places count from the moment that was chosen', async ({ podium, open }) => {
  const { Ada, Grace } = await players(podium, { Ada: 30, Grace: 20 });
  const page = await open();
  await live(page);
  await act(podium.url, { userId: Grace, scoreIncrease: 25 });
  await expect(row(page, Grace).locator('.gain')).toHaveAttribute('data-gain', 'up');
  await page.getByRole('button', { name: 'Compare from now' }).click();
  await expect(row(page, Grace).locator('.gain')).toHaveAttribute('data-gain', 'none');
  await act(podium.url, { userId: Ada, scoreIncrease: 25 });
  await expect(row(page, Grace).locator('.gain')).toHaveAttribute('data-gain', 'down');
});

test('a new leader is celebrated, on this board and once', async ({ podium, open }) => {
  const { Grace } = await players(podium, { Ada: 30, Grace: 20 });
  const page = await open();
  await live(page);
  await expect(page.getByText('New leader')).toHaveCount(0);
  await act(podium.url, { userId: Grace, scoreIncrease: 25 });
  await expect(row(page, Grace).getByText('New leader')).toBeVisible();
  await expect(page.getByText('New leader')).toHaveCount(0, { timeout: 10_000 });
});

test('whoever is signed in sees what is in reach, and who has passed them', async ({ podium, open }) => {
  const { Ada, Grace } = await players(podium, { Ada: 30, Grace: 20, Alan: 10 });
  const page = await open({ path: signInPath(Ada) });
  await live(page);
  await expect(page.locator('#you')).toContainText('You are in the lead');
  await expect(page.locator('#you')).toContainText('10 ahead of Grace');
  await act(podium.url, { userId: Grace, scoreIncrease: 49 });
  // One more than the difference: who reached a score first ranks higher.
  await expect(page.locator('#you')).toContainText('Grace passed you: 40 points to regain #1');
  await page.getByText('Around you').click();
  await expect(page.locator('#you .around li')).toHaveText([/#1\s*Grace\s*69/, /#2\s*Ada\s*30/, /#3\s*Alan\s*10/]);
});

test('your place is pinned while your row is out of view', async ({ podium, open }) => {
  const scores = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`Player ${i}`, 100 - i]));
  const ids = await players(podium, { ...scores, Eleventh: 1 });
  const page = await open({
    path: signInPath(ids['Player 1']),
    viewport: { width: 400, height: 500 },
  });
  await live(page);
  await expect(you(page, 'rank')).toBeHidden();
  await expect(page.locator('#you')).toContainText('2 to pass Player 0 (#1)');
  await row(page, ids['Player 9']).scrollIntoViewIfNeeded();
  await expect(you(page, 'rank')).toBeVisible();
  await row(page, ids['Player 1']).scrollIntoViewIfNeeded();
  await expect(you(page, 'rank')).toBeHidden();
  // Off the visible board there is no row to be in view.
  await act(podium.url, { userId: ids['Player 1'], scoreIncrease: -98 });
  await act(podium.url, { userId: ids.Eleventh, scoreIncrease: 1 });
  await expect(you(page, 'rank')).toHaveText('#11');
  await expect(you(page, 'rank')).toBeVisible();
});

test('the rows about somebody far down are kept up to date', async ({ podium, open }) => {
  const scores = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`Player ${i}`, 100 - i]));
  const ids = await players(podium, scores);
  const page = await open({ path: signInPath(ids['Player 15']) });
  await live(page);
  await expect(page.locator('#you')).toContainText('2 to pass Player 14 (#15)');
  await act(podium.url, { userId: ids['Player 19'], scoreIncrease: 1000 });
  await expect(you(page, 'rank')).toHaveText('#17');
  await expect(page.locator('#you')).toContainText('2 to pass Player 14 (#16)', { timeout: 15_000 });
});

test('a page of the board is alive, and a link leads to it', async ({ podium, open }) => {
  const scores = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`Player ${i}`, 1000 - i]));
  const ids = await players(podium, scores);
  const page = await open();
  await live(page);
  await page.getByRole('link', { name: 'All players' }).click();
  await page.getByRole('link', { name: 'Next page' }).click();
  await expect(page).toHaveURL(/\?page=2$/);
  await live(page);
  await expect(page.locator('ol.board > li')).toHaveCount(10);
  await act(podium.url, { userId: ids['Player 55'], scoreIncrease: 4 });
  await expect(page.locator('ol.board > li').nth(2)).toContainText('Player 55');
});

test('pages that cannot be are not found', async ({ open }) => {
  for (const page of ['0', '-1', 'x', '1.5', '18446744073709551615']) {
    const answer = await open({ path: `/?page=${page}`, expectErrors: true });
    await expect(answer.getByRole('heading', { name: 'Nothing here' })).toBeVisible();
  }
  const far = await open({ path: '/?page=4294967295' });
  await expect(far.getByText('Nobody is this far down')).toBeVisible();
});

test('the page speaks the language of the browser, or the one that was chosen', async ({ podium, open }) => {
  const { Ada } = await players(podium, { Ada: 12345, Grace: 20 });
  const page = await open({ locale: 'de-AT' });
  await live(page);
  await expect(page.locator('html')).toHaveAttribute('lang', 'de');
  await expect(page.getByText('2 spielen mit')).toBeVisible();
  await expect(row(page, Ada).locator('[data-field=score]')).toHaveText('12.345');
  await page.getByRole('link', { name: 'Español' }).click();
  await live(page);
  await expect(page.getByText('2 participantes')).toBeVisible();
  await page.goto(podium.url);
  await expect(page.locator('html')).toHaveAttribute('lang', 'es');
  await act(podium.url, { userId: Ada, scoreIncrease: -11000 });
  await expect(row(page, Ada).locator('[data-field=score]')).toHaveText('1345');
});

test('another language shows the same', async ({ podium, open }) => {
  await players(podium, { Ada: 30, 'Zoë & Co': 20 });
  const found = await open({ path: `/?lang=en&q=${encodeURIComponent('Zoë & Co')}` });
  await found.getByRole('link', { name: 'Deutsch' }).click();
  await expect(found.getByRole('searchbox')).toHaveValue('Zoë & Co');
  await expect(found.getByRole('link', { name: 'Zoë & Co' })).toBeVisible();
  const page = await open({ path: '/?page=1' });
  await page.getByRole('link', { name: 'Deutsch' }).click();
  await expect(page).toHaveURL(/\?page=1&lang=de$/);
  await live(page);
});

test('what is read out sums up, and errors are alerts', async ({ podium, open }) => {
  await players(podium, { Ada: 30, Grace: 20 });
  const page = await open();
  await live(page);
  await expect(page.locator('p.sr-only[role=status]')).toContainText('Ada leads: 30 points.', { timeout: 15_000 });
});

test.describe('a wall and a frame', () => {
  // However long the pages take to open.
  test.use({ podiumEnv: { PODIUM_ACHIEVEMENTS__DURATION: '10m' } });

  test('have no controls', async ({ podium, open }) => {
    await players(podium, { Ada: 30, Grace: 20 });
    for (const view of ['kiosk', 'embed']) {
      const page = await open({ path: `/?view=${view}` });
      await live(page);
      await expectBoard(page, ['1 Ada 30', '2 Grace 20']);
      // A banner in a frame can be dismissed; nobody touches a wall.
      await expect(page.getByRole('button', { name: /Pause|Messages/ })).toHaveCount(0);
      await expect(page.getByText('Ada takes first place')).toBeVisible();
      await expect(page.getByRole('button')).toHaveCount(view === 'kiosk' ? 0 : 1);
      await expect(page.getByRole('searchbox')).toHaveCount(0);
    }
  });
});

test.describe('before the start', () => {
  test.use({ podiumEnv: { PODIUM_BOARD__STARTS: '2126-01-01T12:00:00Z' } });

  test('the page says when it is, and nobody has won', async ({ podium, open }) => {
    await players(podium, { Ada: 30 });
    const page = await open({ locale: 'en-GB', timezoneId: 'UTC' });
    await live(page);
    await expect(page.locator('.start')).toContainText('1 January 2126 at 12:00:00 UTC');
    await expect(page.locator('ol.board')).not.toHaveAttribute('data-podium');
  });
});

test('fifty updates a second end in the board of the server, and scores have counted up', async ({ podium, open }) => {
  const { Ada, Grace } = await players(podium, { Ada: 30, Grace: 20 });
  const page = await open({ reducedMotion: 'no-preference' });
  await live(page);
  for (let round = 0; round < 20; round++) {
    await actAll(podium.url, [Ada, Grace].map((userId) => ({ userId, scoreIncrease: 100 })));
  }
  await expectBoard(page, ['1 Ada 2030', '2 Grace 2020']);
});
