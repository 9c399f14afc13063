// What somebody meets who has a keyboard alone.

/** Everything that Tab should reach. */
const CONTROLS = 'a[href], button, input, select, textarea, summary, [tabindex]';

/** More steps than any page here has controls. */
const MOST_STEPS = 400;

/**
 * The names of all controls that are there to be used, in the order of the document.
 * Of what is moved through with arrow keys only the way in counts.
 */
export function controls(page) {
  return page.evaluate((selector) => {
    const isUsable = (element) =>
      element.checkVisibility({ visibilityProperty: true }) &&
      !element.disabled &&
      element.type !== 'hidden' &&
      element.tabIndex >= 0 &&
      !element.closest('[inert]');
    return [...document.querySelectorAll(selector)].filter(isUsable).map(nameOf);

    function nameOf(element) {
      const label = element.getAttribute('aria-label') ?? element.labels?.[0]?.textContent;
      const text = (label ?? element.textContent).trim().replaceAll(/\s+/g, ' ');
      return `${element.localName} “${text}”`;
    }
  }, CONTROLS);
}

/**
 * What has the focus: `{name, ring, hidden}`, or `undefined` if nothing has. `ring`:
 * is there a visible outline? `hidden`: the points of it, of its middle and its four
 * sides, that something else covers or that are out of view.
 */
export function focused(page) {
  return page.evaluate(() => {
    const element = document.activeElement;
    if (element === null || element === document.body) return undefined;
    const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(element);
    const isClear = /^(transparent|rgba\(.*, 0\))$/.test(outlineColor);
    const ring = outlineStyle !== 'none' && parseFloat(outlineWidth) > 0 && !isClear;

    // A link that is broken over two lines has two boxes.
    const [box] = element.getClientRects();
    const hidden = box === undefined ? ['all of it'] : pointsOf(box).filter(([, x, y]) => {
      const top = document.elementFromPoint(x, y);
      return top === null || !(element.contains(top) || isLabel(top));
    });
    const label = element.getAttribute('aria-label') ?? element.labels?.[0]?.textContent;
    const text = (label ?? element.textContent).trim().replaceAll(/\s+/g, ' ');
    return { name: `${element.localName} “${text}”`, ring, hidden: hidden.map(String) };

    function isLabel(top) {
      return [...(element.labels ?? [])].some((label) => label.contains(top));
    }

    function pointsOf({ left, right, top, bottom }) {
      const [middle, centre] = [(left + right) / 2, (top + bottom) / 2];
      return [
        ['middle', middle, centre],
        ['left', left + 2, centre],
        ['right', right - 2, centre],
        ['top', middle, top + 2],
        ['bottom', middle, bottom - 2],
      ];
    }
  });
}

/** Goes through the whole page by this key; what had the focus, step by step. */
export async function walk(page, key) {
  const steps = [];
  for (let i = 0; i < MOST_STEPS; i++) {
    await page.keyboard.press(key);
    const step = await focused(page);
    // Beyond the last control is the browser's own, which is nothing of the page.
    if (step === undefined) return steps;
    // Every control is marked as it is met, so that a way around ends.
    const isNew = await page.evaluate(() => {
      const [{ activeElement }, met] = [document, (globalThis.met ??= new Set())];
      return met.size < met.add(activeElement).size;
    });
    if (!isNew) return steps;
    steps.push(step);
  }
  throw new Error(`${key} does not come to an end: ${steps.at(-1).name}`);
}

/** Goes on by Tab until the focus is on this; fails if it is not reached. */
export async function tabTo(page, locator) {
  for (let i = 0; i < MOST_STEPS; i++) {
    if (await locator.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab does not reach ${locator}`);
}
