// What a browser believes about the time and about being seen, as a test wants it.

/**
 * The page's wall clock is wrong by `shift` milliseconds from its first moment on.
 * `setClock` sets it later.
 */
export const shiftClock = (page, shift) =>
  page.addInitScript((shift) => {
    const Real = Date;
    globalThis.clockShift = shift;
    globalThis.Date = class extends Real {
      constructor(...parts) {
        if (parts.length === 0) super(Real.now() + globalThis.clockShift);
        else super(...parts);
      }

      static now() {
        return Real.now() + globalThis.clockShift;
      }
    };
  }, shift);

/** The page's wall clock, which was shifted before, is wrong by that from now on. */
export const setClock = (page, shift) =>
  page.evaluate((shift) => void (globalThis.clockShift = shift), shift);

/** Has the page note all that it says of its connection; `connections` gives it. */
export const noteConnections = (page) =>
  page.addInitScript(() => {
    globalThis.connections = [];
    const note = () => {
      const status = document.querySelector('[data-connection]');
      const said = `${status?.dataset.connection}: ${status?.querySelector('.age')?.textContent}`;
      if (globalThis.connections.at(-1) !== said) globalThis.connections.push(said);
    };
    const options = { subtree: true, childList: true, attributes: true, characterData: true };
    new MutationObserver(note).observe(document, options);
  });

/** What it has said so far, as `live: 4 ms`. */
export const connections = (page) => page.evaluate(() => globalThis.connections);

/** The page is hidden, or is seen again, as far as it can tell. */
export const setHidden = (page, hidden) =>
  page.evaluate((hidden) => {
    const define = (name, value) =>
      Object.defineProperty(document, name, { configurable: true, get: () => value });
    define('hidden', hidden);
    define('visibilityState', hidden ? 'hidden' : 'visible');
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);

/**
 * The page gets no frames but those that `drawFrame` gives it.
 */
export const holdFrames = (page) =>
  page.addInitScript(() => {
    globalThis.awaited = new Map();
    let last = 0;
    globalThis.requestAnimationFrame = (draw) => {
      globalThis.awaited.set(++last, draw);
      return last;
    };
    globalThis.cancelAnimationFrame = (id) => globalThis.awaited.delete(id);
  });

/** Draws one frame; says how many waited for it. */
export const drawFrame = (page) =>
  page.evaluate(() => {
    const due = [...globalThis.awaited.values()];
    globalThis.awaited.clear();
    for (const draw of due) draw(performance.now());
    return due.length;
  });

/** How many wait for a frame. */
export const awaitingFrame = (page) => page.evaluate(() => globalThis.awaited.size);
