// A board under a path, beside other things on one host: everything of it in Chromium,
// through nginx and HAProxy as docs/balancers sets them up, whether they take the path
// away from what they forward or leave it.

import { test as base } from '@playwright/test';

import { balancers, startBalancer } from './support/balancers.mjs';
import { listenForComplaints } from './support/complaints.mjs';
import { expect, expectBoard, live, players } from './support/page.mjs';
import { act, startPodium, token } from './support/podium.mjs';

const PATH = '/board';

/** A board behind a balancer, whose addresses outside of the path lead nowhere. */
const test = base.extend({
  balancer: ['nginx', { option: true }],
  forwarded: ['left', { option: true }],
  podium: async ({}, use) => {
    const podium = await startPodium({
      env: {
        PODIUM_HTTP__BASE_PATH: PATH,
        PODIUM_LIMITS__TRUSTED_PROXIES: '127.0.0.1',
      },
    });
    await use(podium);
    await podium.stop();
  },
  host: async ({ podium, balancer, forwarded }, use) => {
    const proxy = await startBalancer(balancer, [podium], { path: forwarded });
    await use(proxy.url);
    await proxy.stop();
  },
  /** A page that complains of nothing, and asks for nothing outside of the path. */
  visitor: async ({ browser, host }, use) => {
    const context = await browser.newContext({ reducedMotion: 'reduce' });
    const page = await context.newPage();
    const wrong = [];
    listenForComplaints(page, { scripts: true }, (text) => wrong.push(text));
    const seen = (address) => {
      const { pathname, protocol } = new URL(address);
      if (protocol !== 'data:' && !pathname.startsWith(`${PATH}/`)) wrong.push(address);
    };
    page.on('request', (request) => seen(request.url()));
    page.on('websocket', (socket) => seen(socket.url()));
    await use({ page, open: (path) => page.goto(`${host}${PATH}${path}`) });
    await context.close();
    expect(wrong).toEqual([]);
  },
});

for (const balancer of balancers) {
  for (const forwarded of ['left', 'stripped']) {
    test.describe(`behind ${balancer}, with the path ${forwarded}`, () => {
      test.use({ balancer, forwarded });

      test('a viewer finds every page by its links, live', async ({ podium, visitor }) => {
        const { Ada, Grace } = await players(podium, { Ada: 30, Grace: 20 });
        const { page, open } = visitor;
        await open('/');
        await live(page);
        await act(podium.url, { userId: Grace, scoreIncrease: 15 });
        await expectBoard(page, ['1 Grace 35', '2 Ada 30']);
        await page.getByRole('link', { name: 'Ada' }).click();
        await expect(page).toHaveURL(new RegExp(`${PATH}/players/${Ada}$`));
        await page.locator('.home a').click();
        await live(page);
        await page.getByRole('link', { name: 'All players' }).click();
        await expect(page).toHaveURL(/\/board\/\?page=1$/);
        await live(page);
        await page.getByRole('link', { name: 'The top' }).click();
        await page.getByLabel('Find a player').fill('Gra');
        await page.keyboard.press('Enter');
        await expect(page).toHaveURL(/\/board\/\?q=Gra$/);
        await page.getByRole('link', { name: 'Grace' }).click();
        await expect(page).toHaveURL(new RegExp(`${PATH}/players/${Grace}$`));
        await page.getByRole('link', { name: 'Deutsch' }).click();
        await expect(page.locator('html')).toHaveAttribute('lang', 'de');
        await page.locator('.home a').click();
        await expect(page.locator('html')).toHaveAttribute('lang', 'de');
        for (const view of ['kiosk', 'embed']) {
          await open(`/?view=${view}`);
          await live(page);
        }
        const cookies = await page.context().cookies();
        expect(cookies.map(({ path }) => path)).toEqual([PATH]);
      });

      test('a player signs in and out, and sees what is theirs', async ({ podium, visitor }) => {
        const scores = Object.fromEntries(
          Array.from({ length: 14 }, (_, i) => [`Player ${i + 1}`, 100 - i]),
        );
        const ids = await players(podium, scores);
        const user = ids['Player 14'];
        const { page, open } = visitor;
        await open(`/?token=${token({ user })}`);
        await expect(page).toHaveURL(/\/board\/$/);
        await live(page);
        await expect(page.locator('#you [data-field=rank]')).toHaveText('#14');
        const [cookie] = await page.context().cookies();
        expect([cookie.name, cookie.path]).toEqual(['podium_token', PATH]);
        await page.getByText('Around you').click();
        await expect(page.locator('.around li')).toHaveCount(3);
        await act(podium.url, { userId: user, scoreIncrease: 2 });
        const own = page.locator('.around li[aria-current=true]');
        await expect(own).toContainText('#13', { timeout: 15_000 });
        await page.getByRole('button', { name: 'Sign out' }).click();
        await expect(page).toHaveURL(/\/board\/$/);
        await expect(page.locator('#you')).toBeHidden();
        await live(page);
        expect(await page.context().cookies()).toEqual([]);
      });
    });
  }
}
