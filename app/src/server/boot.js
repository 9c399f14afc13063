{
  // The styles and the refreshing of a page without scripts follow. They are for where
  // this does not run: here they become the text of styles that apply to nothing.
  document.write('<style media="not all">');

  const { js, wasm, refresh, next, every } = document.currentScript.dataset;
  // Times are in milliseconds. The average time between two requests of a page that is not
  // hydrated.
  const REFRESH = refresh * 1000;
  // A page that is not hydrated by then refreshes itself until it is. Also the longest that
  // the server may take to respond.
  const LATE = 20_000;
  const HOUR = 3_600_000;
  // How often in an hour a page that has failed is reloaded.
  const RELOADS = 3;

  const root = document.documentElement;
  const app = () => document.getElementById('app');
  const parsed = new Promise((done) => addEventListener('DOMContentLoaded', done));
  let isHydrated = false;
  let hasFailed = false;
  let isRefreshing = false;

  // With jitter, so that pages do not request at the same time.
  const wait = (time) => new Promise((done) => setTimeout(done, time * (0.75 + Math.random() / 2)));

  // The entry of the history survives a reload, also where the browser allows no storage.
  const failures = () => (history.state?.failures ?? []).filter((at) => at > Date.now() - HOUR);

  const countNodes = (element) => {
    const nodes = element && document.createTreeWalker(element);
    let count = 0;
    while (nodes?.nextNode()) count += 1;
    return count;
  };

  async function start() {
    const load = async (address) => {
      const page = await import(address);
      await page.default({ module_or_path: wasm });
      await parsed;
      return page;
    };
    let page = await load(js);
    // A document that others, such as extensions, have changed cannot be hydrated.
    if (countNodes(app()) !== Number(app()?.dataset.nodes)) show(await fetchPage());
    try {
      page.hydrate();
    } catch {
      // After a panic the instance is not called again.
      endConnection();
      page = await load(`${js}?anew`);
      const sent = await fetchPage();
      // At once, before others change this too.
      show(sent);
      page.hydrate();
    }
  }

  // The client has put its socket there. Without handlers, an instance that has panicked is
  // not called again.
  const endConnection = () => app()?.socket?.off().disconnect();

  function fail(error) {
    if (hasFailed) return;
    hasFailed = true;
    console.warn('The page is not live:', error);
    history.replaceState({ ...history.state, failures: [...failures(), Date.now()] }, '');
    endConnection();
    // An instance that has panicked changes nothing that is visible any more, and sends no
    // requests once its element is removed.
    if (isHydrated) app()?.replaceWith(app().cloneNode(true));
    refreshUntilHydrated(isHydrated ? REFRESH / 6 : REFRESH, new Date());
  }

  // Not hydrated: says so, and refreshes the page, unless the user has turned that off.
  async function refreshUntilHydrated(pause, shownAt) {
    if (isRefreshing) return;
    isRefreshing = true;
    await parsed;
    root.dataset.plain = '';
    showTime(shownAt);
    while (refresh && (hasFailed || !isHydrated)) {
      await wait(pause);
      // A hidden page is not refreshed.
      if (document.hidden) await new Promise((done) => addEventListener('visibilitychange', done, { once: true }));
      pause = Math.max(REFRESH, await refreshOnce());
    }
    isRefreshing = false;
  }

  // Shows what the server renders now, or reloads the page. Resolves to how long the server
  // wants no request, in milliseconds.
  async function refreshOnce() {
    try {
      const page = await fetchPage();
      const search = document.getElementById('q');
      const isTyping = search && (search.value || search === document.activeElement);
      if (hasFailed && !isTyping && failures().length <= RELOADS) location.reload();
      else if (hasFailed || !isHydrated) show(page);
    } catch (error) {
      return 1000 * (Number(error.retryAfter) || 0);
    }
    return 0;
  }

  // The page as the server renders it now: as JSON, which no proxy rewrites.
  async function fetchPage() {
    const headers = { accept: 'application/json' };
    const answer = await fetch(location.href, { headers, signal: AbortSignal.timeout?.(LATE) });
    const text = await answer.text();
    if (!answer.ok) {
      const retryAfter = answer.headers.get('retry-after');
      throw Object.assign(new Error(`the server answers ${answer.status}`), { retryAfter });
    }
    const html = text.startsWith('"') ? JSON.parse(text) : text;
    return new DOMParser().parseFromString(html, 'text/html');
  }

  function show(page) {
    const fresh = page.getElementById('app');
    const focused = app()?.contains(document.activeElement) && document.activeElement.getAttribute('href');
    if (app()) app().replaceWith(fresh);
    else document.body.prepend(fresh);
    document.getElementById('snapshot')?.remove();
    document.body.append(page.getElementById('snapshot'));
    // A player who has left the board leaves the race chart.
    for (const { dataset, className } of document.querySelectorAll('.legend [data-user-id]')) {
      const isGone = !fresh.querySelector(`[data-user-id="${dataset.userId}"]`);
      for (const part of document.getElementsByClassName(className)) part.toggleAttribute('hidden', isGone);
    }
    if (focused) fresh.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    showTime(new Date());
  }

  function showTime(shownAt) {
    const time = document.querySelector('.not-live time');
    if (time) time.textContent = shownAt.toLocaleTimeString(root.lang);
  }

  // A kiosk that turns shows the next board once that is there: a wall shows no error.
  async function turn() {
    for (;;) {
      await new Promise((done) => setTimeout(done, every * 1000));
      const answer = await fetch(next, { signal: AbortSignal.timeout?.(LATE) }).catch(() => {});
      // Where no other is there, the server leads back to this one, which stays as it is.
      const isOther = answer?.ok && new URL(answer.url).pathname !== location.pathname;
      if (isOther) location.replace(next);
    }
  }

  const bar = () => document.getElementById('board-bar');

  // The bar above the board says which season runs: it is fetched again when that ends.
  async function followSeason() {
    await parsed;
    for (;;) {
      const left = Date.parse(bar()?.dataset.until) - Date.now();
      // Longer than timers wait, or no season.
      if (!(left < 2 ** 31 - HOUR)) return;
      await new Promise((done) => setTimeout(done, Math.max(left, 0)));
      await wait(REFRESH || 30_000);
      const page = await fetchPage().catch(() => {});
      const fresh = page?.getElementById('board-bar');
      if (!fresh) continue;
      bar().replaceWith(fresh);
      dispatchEvent(new Event('times'));
    }
  }

  // The menu of boards closes as menus do.
  function closeMenu({ type, key, target }) {
    const menu = bar()?.querySelector('details[open]');
    if (!menu || (type === 'keydown' ? key !== 'Escape' : menu.contains(target))) return;
    menu.open = false;
    if (key) menu.firstElementChild.focus();
  }

  if (next) turn();
  followSeason();
  addEventListener('keydown', closeMenu);
  addEventListener('pointerdown', closeMenu);

  // A panic, or what the browser has thrown into the middle of the compiled page.
  const watch = (error, file) => {
    if (/wasm/.test(error?.stack) || (js && file?.endsWith(js))) fail(error);
  };
  addEventListener('error', ({ error, filename }) => watch(error, filename));
  addEventListener('unhandledrejection', ({ reason }) => watch(reason));

  if (!js || failures().length > RELOADS) {
    hasFailed = true;
    refreshUntilHydrated(REFRESH, new Date());
  } else {
    const late = setTimeout(() => refreshUntilHydrated(0, new Date(performance.timeOrigin)), LATE);
    start()
      .then(() => {
        isHydrated = true;
        delete root.dataset.plain;
      }, fail)
      .finally(() => clearTimeout(late));
  }
}
