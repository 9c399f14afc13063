// A page whose address has too many connections: it works without a socket, says why it
// is not live and when it will be, and goes live by itself.

import { randomUUID } from 'node:crypto';

import { act, newUser, token } from './support/podium.mjs';
import { expect, expectBoard, live, players, signInPath, test } from './support/page.mjs';
import { connect } from './support/socket.mjs';

/** Two pages at once, and another one each so many seconds. */
const limit = (seconds) => ({
  PODIUM_LIMITS__ALLOW: '',
  PODIUM_LIMITS__CONNECTIONS_PER_IP: '2',
  PODIUM_LIMITS__CONNECTIONS_WINDOW: `${2 * seconds}s`,
});

/** Two others of the address: they are quicker than pages, which would take up their time. */
async function others(podium) {
  for (let i = 0; i < 2; i++) {
    await connect(podium.url, { token: token({ user: randomUUID(), role: 'viewer' }) });
  }
}

const status = (page) => page.locator('[data-connection]');
const words = (page) => page.locator('.why-not-live');

test.describe('behind an address with too many connections', () => {
  test.describe('that has another one soon', () => {
    test.use({ podiumEnv: limit(20) });

    test('a page refreshes itself, says when it will be live, and is then', async ({
      podium,
      open,
    }) => {
      const { Ada, Grace } = await players(podium, { Ada: 30, Grace: 20 });
      await others(podium);
      const page = await open();
      await expect(status(page)).toHaveAttribute('data-connection', 'refreshing');
      await expect(status(page)).toContainText('Not live');
      await expect(words(page)).toContainText('Too many pages are open here');
      await expect(words(page)).toContainText(/It will be live in about \d+ s\./);
      await act(podium.url, { userId: Grace, scoreIncrease: 15 });
      await expect(status(page)).toHaveAttribute('data-connection', 'refreshing');
      await expect
        .poll(() => page.locator('ol.board > li [data-field=name]').first().textContent(), {
          timeout: 15_000,
        })
        .toBe('Grace');
      // Without a reload.
      await expect(status(page)).toHaveAttribute('data-connection', 'live', { timeout: 60_000 });
      await expect(words(page)).toBeHidden();
      await act(podium.url, { userId: Ada, scoreIncrease: 100 });
      await expectBoard(page, ['1 Ada 130', '2 Grace 35']);
    });
  });

  test.describe('that has none for long', () => {
    test.use({ podiumEnv: limit(3600) });

    test('whoever is signed in is live at once', async ({ podium, open }) => {
      await others(podium);
      const user = await newUser(podium, 'Ada');
      const page = await open({ path: signInPath(user) });
      await live(page);
      await page.reload();
      await live(page);
    });

    test('a page asks for little, and is not told what it knows', async ({ podium, open }) => {
      await players(podium, { Ada: 30 });
      await others(podium);
      const asked = [];
      const sockets = [];
      const prepare = async (page) => {
        page.on('response', (response) => {
          if (response.url().includes('/page/rows')) asked.push(response);
        });
        page.on('websocket', (socket) => sockets.push(socket.url()));
      };
      const page = await open({ prepare });
      await expect(words(page)).toContainText(/It will be live in about \d+ (min|h)\./);
      await expect.poll(() => asked.length, { timeout: 30_000 }).toBeGreaterThan(2);
      const statuses = asked.map((response) => response.status());
      expect(new Set(statuses)).not.toContain(429);
      // It does not try before its time.
      expect(sockets).toHaveLength(1);
    });

    for (const [view, path] of [
      ['kiosk', '/?view=kiosk'],
      ['embed', '/?view=embed'],
      ['page', '/?page=1'],
    ]) {
      test(`a ${view} view is kept fresh too`, async ({ podium, open }) => {
        const { Grace } = await players(podium, { Ada: 30, Grace: 20 });
        await others(podium);
        const page = await open({ path });
        await expect(words(page)).toBeVisible();
        await act(podium.url, { userId: Grace, scoreIncrease: 15 });
        await expect
          .poll(() => page.locator('ol.board > li [data-field=name]').first().textContent(), {
            timeout: 15_000,
          })
          .toBe('Grace');
      });
    }
  });
});

test('a page that is kept from every socket refreshes itself', async ({ podium, open }) => {
  const { Grace } = await players(podium, { Ada: 30, Grace: 20 });
  const page = await open({
    expectErrors: true,
    prepare: async (page) => {
      await page.addInitScript(() => {
        window.WebSocket = class {
          constructor() {
            throw new Error('no WebSocket gets through');
          }
        };
      });
      await page.route(/\/socket\.io\//, (route) => route.abort());
    },
  });
  await expect(words(page)).toContainText('This page is not live.', { timeout: 20_000 });
  await act(podium.url, { userId: Grace, scoreIncrease: 15 });
  await expect
    .poll(() => page.locator('ol.board > li [data-field=name]').first().textContent(), {
      timeout: 15_000,
    })
    .toBe('Grace');
});
