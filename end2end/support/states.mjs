// Every state that the page can be in, for whoever wants to look at all of them:
// the screenshots, and the tests of accessibility.

import { act, token } from './podium.mjs';
import { NAMES, idOf } from './boards.mjs';
import { TEAMS } from './several.mjs';

const [FIRST, SECOND] = NAMES;
const LAST = NAMES.at(-1);

/** The browser says on its console that the address, or the server, is not there. */
const NOT_FOUND = /status of 404/;
const UNREACHABLE = /ERR_|WebSocket|failed: /;

/** What a page shows that has lost the server, in words or for the eye. */
const lost = ({ until }) => until('[data-connection]:not([data-connection=live])');

/**
 * - `board`: which of the boards, see `boards.mjs`; `own`: a server that nobody else
 *   uses.
 * - `path`, and `signedIn`, the name of a player.
 * - `context`: options of the browser's context; `media`: what the page is shown on.
 * - `isLive: false`: the page does not follow the board.
 * - `fullPage: false`: what matters is one screen, with what sticks to its edges.
 * - `prepare({podium})`: before the page is opened. `arrange({page, podium, press,
 *   until})`: what happens then; `press` a button, wait `until` a selector is there.
 * - `expectErrors`: what the browser says that belongs to the state.
 */
export const states = [
  { name: 'empty', board: 'empty' },
  { name: 'before-start', board: 'before-start' },
  { name: 'one-player', board: 'one' },
  { name: 'board', board: 'many' },
  { name: 'hundred', board: 'hundred' },
  { name: 'tied', board: 'tied' },
  { name: 'names', board: 'names', signedIn: 'Donaudampfschifffahrtselektrizitätenhauptbetriebswerk' },
  { name: 'signed-in', board: 'many', signedIn: SECOND, fullPage: false },
  { name: 'signed-in-below', board: 'many', signedIn: LAST, fullPage: false },
  {
    name: 'passed',
    board: 'duel',
    signedIn: 'Hedy Lamarr',
    fullPage: false,
    // Donald Knuth falls back, and comes again while the page looks on.
    prepare: ({ podium }) => act(podium.url, { userId: idOf('Donald Knuth'), scoreIncrease: -50 }),
    arrange: async ({ page, podium, until }) => {
      const rank = page.locator('#you [data-field=rank]').first();
      const before = await rank.textContent();
      await act(podium.url, { userId: idOf('Donald Knuth'), scoreIncrease: 50 });
      await until(async () => (await rank.textContent()) !== before);
    },
  },
  {
    name: 'stale',
    board: 'many',
    own: true,
    signedIn: LAST,
    arrange: async ({ podium, ...rest }) => {
      await podium.kill();
      await lost(rest);
    },
    expectErrors: UNREACHABLE,
  },
  {
    name: 'offline',
    board: 'many',
    signedIn: SECOND,
    arrange: async ({ page, ...rest }) => {
      await page.context().setOffline(true);
      await lost(rest);
    },
    expectErrors: UNREACHABLE,
  },
  { name: 'banners', board: 'banners', arrange: ({ until }) => until('text=Scores of table 7') },
  {
    name: 'messages',
    board: 'banners',
    arrange: async ({ press, until }) => {
      await until('text=Scores of table 7');
      await press('Messages');
    },
  },
  { name: 'bad-link', board: 'many', path: '/?token=forged' },
  {
    name: 'bad-link-player',
    board: 'many',
    path: `/players/${idOf(FIRST)}?token=forged`,
  },
  {
    name: 'link-of-another',
    board: 'many',
    path: `/?token=${token({ user: idOf(FIRST) })}`,
    signedIn: SECOND,
    isLive: false,
  },
  {
    name: 'not-found',
    board: 'many',
    path: '/nowhere',
    isLive: false,
    expectErrors: NOT_FOUND,
  },
  { name: 'page-2', board: 'many', path: '/?page=2' },
  { name: 'search', board: 'many', path: '/?q=ada' },
  { name: 'search-nobody', board: 'many', path: '/?q=nobody+at+all' },
  { name: 'player', board: 'many', path: `/players/${idOf(FIRST)}` },
  {
    name: 'player-unknown',
    board: 'many',
    path: `/players/${idOf('somebody who does not play')}`,
    isLive: false,
    expectErrors: NOT_FOUND,
  },
  { name: 'kiosk', board: 'many', path: '/?view=kiosk', fullPage: false },
  { name: 'embed', board: 'many', path: '/?view=embed' },
  { name: 'boards', board: 'several', path: '/boards', isLive: false },
  {
    name: 'boards-menu',
    board: 'several',
    fullPage: false,
    arrange: ({ page }) => page.locator('.board-bar summary').click(),
  },
  { name: 'teams', board: 'several', path: '/b/teams' },
  { name: 'team', board: 'several', path: `/b/teams/players/${idOf(TEAMS[0])}`, isLive: false },
  { name: 'weekly', board: 'several', path: '/b/weekly', signedIn: SECOND },
  { name: 'duration', board: 'several', path: '/b/sprint' },
  { name: 'second-score', board: 'several', path: '/b/distance' },
  { name: 'search-second-score', board: 'several', path: '/b/distance?q=a' },
  { name: 'boards-many', board: 'rounds', path: '/boards?page=2', isLive: false },
  { name: 'player-on-many', board: 'rounds', path: `/players/${idOf(FIRST)}` },
  { name: 'season', board: 'seasons', path: '/b/daily/seasons/1', isLive: false },
  { name: 'season-last-page', board: 'seasons', path: '/b/daily/seasons/1?page=2', isLive: false },
  { name: 'season-empty', board: 'seasons', path: '/b/daily/seasons/2', isLive: false },
  { name: 'player-on-boards', board: 'several', path: `/b/sprint/players/${idOf(FIRST)}` },
  { name: 'player-weekly', board: 'several', path: `/b/weekly/players/${idOf(FIRST)}` },
  { name: 'paused', board: 'many', arrange: ({ press }) => press('Pause') },
  { name: 'german', board: 'banners', path: '/?lang=de', signedIn: LAST },
  { name: 'spanish', board: 'banners', path: '/?lang=es', signedIn: LAST },
  { name: 'high-contrast', board: 'banners', signedIn: SECOND, context: { contrast: 'more' } },
  {
    name: 'forced-colours',
    board: 'banners',
    signedIn: SECOND,
    context: { forcedColors: 'active' },
  },
  { name: 'print', board: 'banners', signedIn: SECOND, media: 'print' },
  {
    name: 'not-live',
    board: 'many',
    // It is not to mend itself meanwhile.
    path: '/?refresh=off',
    signedIn: LAST,
    arrange: async ({ page, until }) => {
      await page.evaluate(() => {
        const error = new Error('panicked in the wasm');
        dispatchEvent(new ErrorEvent('error', { error }));
      });
      await until('text=Not live.');
    },
    expectErrors: /not live/,
  },
  {
    name: 'no-scripts',
    board: 'many',
    signedIn: LAST,
    context: { javaScriptEnabled: false },
    isLive: false,
  },
];
