// No state of the page breaks a rule of WCAG 2.2 AA that axe can check by itself, in
// light and in dark, on a phone and on a desk.

import { test as base, expect } from '@playwright/test';
import axe from 'axe-core';

import { Stage, untilStill } from './support/stage.mjs';
import { states } from './support/states.mjs';

const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
const WIDTHS = [320, 1280];

/** What a colour scheme can change; all other rules are checked in the light alone. */
const COLOUR_RULES = ['color-contrast', 'link-in-text-block'];

const test = base.extend({
  stage: [
    async ({ browser }, use) => {
      const stage = new Stage(browser);
      await use(stage);
      await stage.end();
    },
    { scope: 'worker' },
  ],
});

// The message says all, and a trace of each takes as long as the test.
test.use({ trace: 'off' });

/** The rules that are broken, one line for each element that breaks one. */
function violations(page, runOnly) {
  return page.evaluate(async (runOnly) => {
    // The board is a live event, and a link says that it is not to be refreshed (WCAG
    // 2.2.1); axe knows of neither.
    const rules = { 'meta-refresh': { enabled: false } };
    const options = { runOnly, rules, resultTypes: ['violations'], elementRef: false };
    const results = await globalThis.axe.run(document, options);
    return results.violations.flatMap(({ id, nodes }) =>
      nodes.map(({ target, any, all, none }) => {
        const reasons = [...any, ...all, ...none].map(({ message }) => message);
        return `${id}: ${target.join(' ')}: ${reasons.join('; ')}`;
      }),
    );
  }, runOnly);
}

/**
 * Where scripts are off no timer runs either, and axe waits for some. From here on they
 * do, in the page as it was read without them, which is not to load itself again.
 */
async function letAxeRun(page) {
  const session = await page.context().newCDPSession(page);
  // Chromium ignores a session that changes nothing of its own.
  await session.send('Emulation.setScriptExecutionDisabled', { value: true });
  await session.send('Emulation.setScriptExecutionDisabled', { value: false });
  await page.evaluate(() => globalThis.stop());
}

for (const state of states) {
  test(`axe finds nothing: ${state.name}`, async ({ stage }) => {
    const viewport = { width: WIDTHS[0], height: 800 };
    const { page, missing, close } = await stage.open(state, { colorScheme: 'light', viewport });
    try {
      // What the state lacks was not checked.
      expect.soft(missing).toEqual([]);
      if (state.context?.javaScriptEnabled === false) await letAxeRun(page);
      await page.evaluate(axe.source);
      for (const width of WIDTHS) {
        await page.setViewportSize({ width, height: 800 });
        for (const colorScheme of ['light', 'dark']) {
          await page.emulateMedia({ colorScheme });
          await untilStill(page);
          const only =
            colorScheme === 'light'
              ? { type: 'tag', values: TAGS }
              : { type: 'rule', values: COLOUR_RULES };
          expect.soft(await violations(page, only), `${colorScheme}, ${width} px`).toEqual([]);
        }
      }
    } finally {
      await close();
    }
  });
}
