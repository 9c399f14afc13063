// The page from one end to the other, with a keyboard alone and without scripts.

import { randomUUID } from 'node:crypto';

import { Boards, NAMES, idOf } from './support/boards.mjs';
import { forKeyboard, tabTo, walk } from './support/keyboard.mjs';
import { request, token } from './support/podium.mjs';
import { expect, live, rows, signInPath, test as base, you } from './support/page.mjs';

const [FIRST] = NAMES;
const LAST = NAMES.at(-1);
const FIRST_PATH = `/players/${idOf(FIRST)}`;

const PHONE = { width: 320, height: 640 };
const DESK = { width: 1280, height: 720 };

/** `podium` has `board`; no test changes one for another, so they share servers. */
const test = base.extend({
  board: ['many', { option: true }],
  boards: [
    async ({}, use) => {
      const boards = new Boards();
      await use(boards);
      await boards.end();
    },
    { scope: 'worker' },
  ],
  podium: async ({ boards, board }, use) => use(await boards.get(board)),
});

const button = (page, name) => page.getByRole('button', { name, exact: true });
const pages = (page, name) =>
  page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name });
const searchbox = (page) => page.getByRole('search').getByRole('searchbox', { name: 'Find a player' });

/** A banner for one player alone, so that other tests see nothing of it. */
async function say(podium, name, message) {
  const admin = token({ user: randomUUID(), role: 'admin' });
  const body = { message, userId: idOf(name), severity: 'warning' };
  const { status } = await request(podium.url, 'POST', '/api/v1/notifications', {
    token: admin,
    body,
  });
  expect(status).toBe(201);
}

/** Does something with the focus on `control`; afterwards the page still has it. */
async function keepsFocus(page, control, key, effect) {
  await tabTo(page, control);
  await page.evaluate(() => (globalThis.isSamePage = true));
  await page.keyboard.press(key);
  await effect();
  // A new page begins where every page begins.
  if (!(await page.evaluate(() => globalThis.isSamePage === true))) return;
  const lost = async () => {
    const { focused } = await forKeyboard(page);
    if (focused === undefined) return 'nothing has the focus';
    const isFine = !focused.isControl || (focused.ring && focused.hidden.length === 0);
    return isFine ? undefined : JSON.stringify(focused);
  };
  await expect.poll(lost).toBeUndefined();
}

test.describe('with a keyboard alone', () => {
  for (const { board, viewport, path, what } of [
    { board: 'many', viewport: PHONE, what: 'a viewer on a phone' },
    { board: 'many', viewport: DESK, what: 'a viewer at a desk' },
    { board: 'hundred', viewport: PHONE, path: signInPath(idOf(LAST)), what: 'a player on a phone' },
    { board: 'hundred', viewport: DESK, path: signInPath(idOf(LAST)), what: 'a player at a desk' },
    { board: 'banners', viewport: PHONE, path: signInPath(idOf(LAST)), what: 'a player with banners' },
    { board: 'many', viewport: PHONE, path: '/?page=2', what: 'the second page' },
    { board: 'many', viewport: PHONE, path: '/?q=ada', what: 'a search' },
    { board: 'many', viewport: PHONE, path: FIRST_PATH, what: 'the page of a player' },
  ]) {
    test.describe(what, () => {
      test.use({ board });

      for (const [key, direction] of [['Tab', 'forth'], ['Shift+Tab', 'back']]) {
        test(`every control is reached, marked and in view, going ${direction}`, async ({ open }) => {
          const page = await open({ path, viewport });
          // Not every page follows the board.
          if ((await page.locator('[data-connection]').count()) > 0) await live(page);
          const steps = await walk(page, key);
          const inOrder = key === 'Tab' ? steps : steps.toReversed();
          expect(inOrder.map(({ name }) => name)).toEqual((await forKeyboard(page)).controls);
          expect(steps.filter(({ ring }) => !ring), 'without a ring').toEqual([]);
          expect(steps.filter(({ hidden }) => hidden.length > 0), 'covered').toEqual([]);
        });
      }
    });
  }

  test('the first control leads past what comes before the board', async ({ open }) => {
    const page = await open({ viewport: PHONE });
    await live(page);
    await page.keyboard.press('Tab');
    const skip = page.locator('a[href^="#"]:focus');
    await expect(skip).toBeInViewport();
    await page.keyboard.press('Enter');
    // Tab goes on from the board.
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement.closest('main') !== null)).toBe(true);
  });

  for (const key of ['Enter', 'Space']) {
    test(`the board is paused and resumed by ${key}`, async ({ open }) => {
      const page = await open();
      await live(page);
      await keepsFocus(page, button(page, 'Pause'), key, () =>
        expect(button(page, 'Resume')).toBeFocused(),
      );
      await keepsFocus(page, button(page, 'Resume'), key, () =>
        expect(button(page, 'Pause')).toBeFocused(),
      );
    });

    test(`banners are dismissed by ${key}, one and then the last`, async ({ podium, open }) => {
      const page = await open({ path: signInPath(idOf(NAMES[5])) });
      await live(page);
      const dismiss = page.getByRole('button', { name: /^Dismiss/ });
      for (const message of ['one', 'two']) await say(podium, NAMES[5], `${key} ${message}`);
      // Whoever keeps the messages may have a copy that is not shown.
      const last = page.getByText(`${key} two`).filter({ visible: true });
      await expect(last.first()).toBeVisible();
      for (let left = await dismiss.count(); left > 0; left--) {
        await keepsFocus(page, dismiss.first(), key, () => expect(dismiss).toHaveCount(left - 1));
      }
    });

    test(`messages are opened and closed by ${key}`, async ({ open }) => {
      const page = await open({ viewport: PHONE });
      await live(page);
      const messages = page.getByRole('button', { name: /^Messages/ });
      await keepsFocus(page, messages, key, () =>
        expect(messages).toHaveAttribute('aria-expanded', 'true'),
      );
      await keepsFocus(page, messages, key, () =>
        expect(messages).toHaveAttribute('aria-expanded', 'false'),
      );
      await expect(messages).toBeFocused();
    });

    test(`${key} signs out`, async ({ open }) => {
      const page = await open({ path: signInPath(idOf(LAST)), viewport: PHONE });
      await live(page);
      await tabTo(page, button(page, 'Sign out'));
      await page.keyboard.press(key);
      await expect(page.locator('#you')).toHaveCount(0);
      await live(page);
    });
  }

  test('pages are turned', async ({ open }) => {
    const page = await open({ viewport: PHONE });
    await live(page);
    await keepsFocus(page, pages(page, 'All players'), 'Enter', () =>
      expect(page).toHaveURL(/[?&]page=1\b/),
    );
    await keepsFocus(page, pages(page, 'Next page'), 'Enter', () =>
      expect(page).toHaveURL(/[?&]page=2\b/),
    );
    await expect(rows(page).first()).not.toContainText(FIRST);
    await keepsFocus(page, pages(page, 'Previous page'), 'Enter', () =>
      expect(rows(page).first()).toContainText(FIRST),
    );
  });

  test('a player is found and opened', async ({ open }) => {
    const page = await open({ viewport: PHONE });
    await live(page);
    await tabTo(page, searchbox(page));
    await page.keyboard.type('ada');
    await page.keyboard.press('Enter');
    await expect(page).toHaveURL(/[?&]q=ada\b/);
    await expect(page.getByRole('main')).toContainText('Ada Yonath');
    await expect(searchbox(page)).toHaveValue('ada');
    await tabTo(page, page.locator(`a[href="${FIRST_PATH}"]`));
    await page.keyboard.press('Enter');
    await expect(page).toHaveURL(new RegExp(`${FIRST_PATH}$`));
    await expect(page.getByRole('heading', { name: FIRST })).toBeVisible();
  });
});

test.describe('without scripts', () => {
  // What is not there would otherwise be waited for until the end of the test.
  test.use({ actionTimeout: 5000 });

  const plain = { javaScriptEnabled: false };

  test('to the second page and back', async ({ open }) => {
    const page = await open(plain);
    await expect(rows(page).first()).toContainText(FIRST);
    await pages(page, 'All players').click();
    await pages(page, 'Next page').click();
    await expect(page).toHaveURL(/[?&]page=2\b/);
    await expect(rows(page).first()).not.toContainText(FIRST);
    await pages(page, 'Previous page').click();
    await expect(rows(page).first()).toContainText(FIRST);
  });

  test('a player is found, looked at, and left', async ({ open }) => {
    const page = await open(plain);
    await page.getByRole('link', { name: 'Find a player' }).click();
    await searchbox(page).fill('yonath');
    await page.getByRole('search').getByRole('button', { name: 'Search' }).click();
    await expect(page).toHaveURL(/[?&]q=yonath\b/);
    await expect(page.getByRole('main')).not.toContainText(FIRST);
    await page.getByRole('link', { name: 'Ada Yonath' }).click();
    await expect(page.getByRole('heading', { name: 'Ada Yonath' })).toBeVisible();
    // Whoever came by a link from elsewhere needs a way to the board too.
    await page.locator('a[href="/"]').first().click();
    await expect(rows(page).first()).toContainText(FIRST);
  });

  test('what nobody is called is said to be so', async ({ open }) => {
    const page = await open(plain);
    await page.getByRole('link', { name: 'Find a player' }).click();
    await searchbox(page).fill('nobody at all');
    await searchbox(page).press('Enter');
    await expect(page).toHaveURL(/[?&]q=nobody/);
    await expect(page.locator('a[href^="/players/"]')).toHaveCount(0);
    await expect(page.getByRole('main')).toContainText('nobody at all');
  });

  test('in by a link, and out by a button', async ({ open }) => {
    const page = await open({ ...plain, path: signInPath(idOf(LAST)) });
    await expect(you(page, 'rank')).toHaveText('#64');
    await button(page, 'Sign out').click();
    await expect(page.locator('#you')).toHaveCount(0);
    await expect(rows(page).first()).toContainText(FIRST);
  });
});
