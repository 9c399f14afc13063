// Puts a page into one of the states.

import { Boards, idOf, startBoard } from './boards.mjs';
import { listenForComplaints } from './complaints.mjs';
import { token } from './podium.mjs';

/** Nothing that a state waits for takes this long. */
const REACHED_WITHIN_MS = 20_000;

/** Pages in their states, and the servers behind them. */
export class Stage {
  #browser;
  #boards = new Boards();

  constructor(browser) {
    this.#browser = browser;
  }

  /**
   * Opens a page in this state. Resolves to `{page, missing, complaints, close}`:
   * `missing` says what of the state the page does not have, `complaints` what it
   * wrote to the console. Both may grow until it is closed.
   *
   * @param {object} state one of `states.mjs`
   * @param {object} options of the browser's context, such as `colorScheme`
   */
  async open(state, options) {
    const podium = await (state.own ? startBoard(state.board) : this.#boards.get(state.board));
    await state.prepare?.({ podium });
    const context = await this.#browser.newContext({
      reducedMotion: 'reduce',
      deviceScaleFactor: 1,
      ...options,
      ...state.context,
    });
    if (state.signedIn) await context.addCookies([cookieOf(podium, state.signedIn)]);
    const page = await context.newPage();
    const missing = [];
    const complaints = [];
    listenForComplaints(page, { scripts: state.context?.javaScriptEnabled !== false }, (text) => {
      if (!state.expectErrors?.test(text)) complaints.push(text);
    });
    const close = async () => {
      await context.close();
      if (state.own) await podium.kill();
    };
    try {
      await page.goto(new URL(state.path ?? '/', podium.url).href);
      if (state.isLive !== false) await untilLive(page, missing);
      const steps = stepsOf(page, missing);
      await state.arrange?.({ page, podium, ...steps });
      if (state.media) await page.emulateMedia({ media: state.media });
      await untilStill(page);
      return { page, missing, complaints, close };
    } catch (error) {
      await close();
      throw error;
    }
  }

  /** Ends the servers. */
  end() {
    return this.#boards.end();
  }
}

/** The cookie that the link of sign-in leaves, so that any address can be the first. */
function cookieOf(podium, name) {
  const value = token({ user: idOf(name) });
  return { name: 'podium_token', value, url: podium.url, httpOnly: true, sameSite: 'Lax' };
}

/** A page that says nothing of a connection has none to wait for. */
async function untilLive(page, missing) {
  const status = page.locator('[data-connection]');
  if ((await status.count()) === 0) return;
  await page
    .locator('[data-connection=live]')
    .first()
    .waitFor({ state: 'attached', timeout: REACHED_WITHIN_MS })
    .catch(() => missing.push('the page is not live'));
}

/** What states use to get where they are; what is not there is noted. */
function stepsOf(page, missing) {
  return {
    press: async (name) => {
      const button = page.getByRole('button', { name }).first();
      if ((await button.count()) > 0) await button.click({ timeout: REACHED_WITHIN_MS });
      else missing.push(`there is no button “${name}”`);
    },
    until: async (sign) => {
      const reached =
        typeof sign === 'string'
          ? page.locator(sign).first().waitFor({ timeout: REACHED_WITHIN_MS })
          : untilTrue(sign);
      await reached.catch(() => missing.push(`waited in vain for ${sign}`));
    },
  };
}

async function untilTrue(condition) {
  const end = performance.now() + REACHED_WITHIN_MS;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error('too late');
  }
}

/** Waits for fonts and pictures, and until whatever moves has come to rest. */
export function untilStill(page) {
  return page.evaluate(async () => {
    await document.fonts.ready;
    const loaded = [...document.images].filter((image) => image.loading !== 'lazy');
    await Promise.allSettled(loaded.map((image) => image.decode()));
    const ends = (animation) => Number.isFinite(animation.effect?.getComputedTiming().endTime);
    const running = document.getAnimations().filter((it) => it.playState === 'running' && ends(it));
    await Promise.allSettled(running.map((animation) => animation.finished));
  });
}
