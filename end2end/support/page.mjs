// What tests of the page share: a server for each test, and pages that must not
// say a word on the console.

import { randomUUID } from 'node:crypto';

import { test as base, expect } from '@playwright/test';

import { listenForComplaints } from './complaints.mjs';
import { act, putUser, startPodium, token } from './podium.mjs';

/**
 * `podium`: a server with an empty board, and `podiumEnv` over its settings.
 * `open(options)`: a page of its own browser context; it fails the test if anything
 * is written to its console, an exception escapes or a request fails, unless
 * `options.expectErrors` is set.
 */
export const test = base.extend({
  podiumEnv: [{}, { option: true }],
  podium: async ({ podiumEnv }, use) => {
    const podium = await startPodium({ env: podiumEnv });
    await use(podium);
    await podium.stop();
  },
  open: async ({ browser, podium }, use) => {
    const complaints = [];
    const contexts = [];
    await use(async ({ path = '/', expectErrors = false, prepare, ...options } = {}) => {
      const context = await browser.newContext({ reducedMotion: 'reduce', ...options });
      contexts.push(context);
      const page = await context.newPage();
      const scripts = options.javaScriptEnabled !== false;
      listenForComplaints(page, { scripts }, (text) => expectErrors || complaints.push(text));
      await prepare?.(page);
      await page.goto(new URL(path, podium.url).href);
      return page;
    });
    await Promise.all(contexts.map((context) => context.close()));
    expect(complaints).toEqual([]);
  },
});

export { expect };

/**
 * Registers players, and gives them their scores then: who is alone takes first place from
 * nobody. Resolves to their ids, in the order given.
 */
export async function players(podium, scores) {
  const ids = {};
  for (const name of Object.keys(scores)) {
    ids[name] = randomUUID();
    await putUser(podium.url, ids[name], name);
  }
  for (const [name, score] of Object.entries(scores)) {
    if (score !== 0) await act(podium.url, { userId: ids[name], scoreIncrease: score });
  }
  return ids;
}

/** The link by which a player signs in. */
export const signInPath = (user) => `/?token=${token({ user })}`;

/** A page that is to refresh itself in thirty seconds, with two instead. */
export const refreshingSoon = (html) =>
  html.replace('<meta http-equiv="refresh" content="30">', '<meta http-equiv="refresh" content="2">');

/** Has a page without scripts refresh itself in two seconds instead of thirty. */
export const refreshSoon = (page) =>
  page.route(
    (url) => url.pathname === '/',
    async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: refreshingSoon(await response.text()) });
    },
  );

/** Loads a board again until it has its chart: where all is busy it comes without. */
export const withChart = (page) =>
  expect(async () => {
    const chart = page.locator('.legend');
    if ((await chart.count()) === 0) await page.reload();
    await expect(chart).toHaveCount(1, { timeout: 1_000 });
  }).toPass();

/** Waits until every change is shown at once. */
export const live = (page) => expect(page.locator('[data-connection=live]')).toBeVisible();

export const rows = (page) => page.locator('ol.board > li');

export const row = (page, id) => page.locator(`ol.board > li[data-user-id="${id}"]`);

export const you = (page, field) => page.locator(`#you [data-field=${field}]`);

/** The board as the page shows it, with the digits ungrouped: `rank name score`. */
export async function shownBoard(page) {
  return rows(page).evaluateAll((items) =>
    items.map((item) => {
      const field = (name) => item.querySelector(`[data-field=${name}]`).textContent;
      return `${field('rank')} ${field('name')} ${field('score').replace(/[.,]/g, '')}`;
    }),
  );
}

/** While a page is loaded again it shows nothing that could be asked for. */
const isBeingLoaded = (error) => {
  if (!/Execution context was destroyed/.test(error.message)) throw error;
};

/** Waits until the page shows this board, loaded again or not; `options` as of `expect.poll`. */
export const expectBoard = (page, expected, options) =>
  expect.poll(() => shownBoard(page).catch(isBeingLoaded), options).toEqual(expected);
