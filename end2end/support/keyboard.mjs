// What somebody meets who has a keyboard alone.

import { expect } from '@playwright/test';

/** Everything that Tab should reach. */
const CONTROLS = 'a[href], button, input, select, textarea, summary, [tabindex]';

/** More steps than any page here has controls. */
const MOST_STEPS = 400;

/**
 * What is on the page for the keyboard: `controls`, the names of all that can be used,
 * in the order of the document; and `focused`, what has the focus, if anything has:
 *
 * - `isControl`: can Tab reach it, or did a script put the focus there?
 * - `ring`: has it an outline that can be seen?
 * - `hidden`: those of its middle and its four sides that are covered or out of view.
 */
export function forKeyboard(page) {
  return page.evaluate((selector) => {
    const all = [...document.querySelectorAll(selector)];
    const { activeElement } = document;
    const isNothing = activeElement === null || activeElement === document.body;
    return {
      controls: all.filter(isUsable).map(nameOf),
      focused: isNothing ? undefined : described(activeElement),
    };

    function isUsable(element) {
      return (
        element.checkVisibility({ visibilityProperty: true }) &&
        !element.matches(':disabled, [type=hidden], [inert] *') &&
        element.tabIndex >= 0
      );
    }

    function nameOf(element) {
      const label = element.getAttribute('aria-label') ?? element.labels?.[0]?.textContent;
      const text = (label ?? element.textContent).trim().replaceAll(/\s+/g, ' ');
      return `${element.localName} “${text}”`;
    }

    function described(element) {
      const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(element);
      const isClear = /^(transparent|rgba\(.*, 0\))$/.test(outlineColor);
      return {
        name: nameOf(element),
        isControl: element.tabIndex >= 0,
        ring: outlineStyle !== 'none' && parseFloat(outlineWidth) > 0 && !isClear,
        hidden: hiddenPartsOf(element),
      };
    }

    function hiddenPartsOf(element) {
      // A link that is broken over two lines has two boxes, and the first may be empty.
      const box = [...element.getClientRects()].find(({ width, height }) => width * height > 0);
      if (box === undefined) return ['all'];
      const { left, right, top, bottom } = box;
      const [x, y] = [(left + right) / 2, (top + bottom) / 2];
      const points = {
        middle: [x, y],
        left: [left + 2, y],
        right: [right - 2, y],
        top: [x, top + 2],
        bottom: [x, bottom - 2],
      };
      const isPartOf = (at) => [element, ...(element.labels ?? [])].some((it) => it.contains(at));
      const isHidden = (part) => {
        const at = document.elementFromPoint(...points[part]);
        return at === null || !isPartOf(at);
      };
      return Object.keys(points).filter(isHidden);
    }
  }, CONTROLS);
}

/** Goes through the whole page by this key; what had the focus, step by step. */
export async function walk(page, key) {
  const steps = [];
  for (let i = 0; i < MOST_STEPS; i++) {
    await page.keyboard.press(key);
    const { focused } = await forKeyboard(page);
    // Beyond the last control is the browser's own, which is nothing of the page.
    if (focused === undefined) return steps;
    // What was met is remembered, so that a way around ends.
    const isNew = await page.evaluate(() => {
      const met = (globalThis.met ??= new Set());
      return met.size < met.add(document.activeElement).size;
    });
    if (!isNew) return steps;
    steps.push(focused);
  }
  throw new Error(`${key} does not come to an end: ${steps.at(-1).name}`);
}

/** Goes on by Tab until the focus is on this; fails if it is not reached. */
export async function tabTo(page, locator) {
  await expect(locator).toBeVisible();
  for (let i = 0; i < MOST_STEPS; i++) {
    if (await locator.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab does not reach ${locator}`);
}
