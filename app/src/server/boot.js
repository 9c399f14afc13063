{
  // The styles and the refreshing of a page without scripts follow. They are for where
  // this does not run: here they become the text of styles that apply to nothing.
  document.write('<style media="not all">');

  const { js, wasm, refresh } = document.currentScript.dataset;
  // Times are in milliseconds. Between two looks at the server, about.
  const REFRESH = refresh * 1000;
  // A page that is not alive by then refreshes itself until it is; for an answer, too.
  const LATE = 20_000;
  const HOUR = 3_600_000;
  // So often in an hour a page that has failed is loaded anew.
  const RELOADS = 3;

  const root = document.documentElement;
  const app = () => document.getElementById('app');
  const parsed = new Promise((done) => addEventListener('DOMContentLoaded', done));
  let isAlive = false;
  let hasFailed = false;
  let isRefreshing = false;

  // Not all pages at once.
  const wait = (time) => new Promise((done) => setTimeout(done, time * (0.75 + Math.random() / 2)));

  // The entry of the history outlives the page, and is there where storage is not.
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
    // What others have changed cannot be brought to life.
    if (countNodes(app()) !== Number(app()?.dataset.nodes)) show(await ask());
    try {
      page.hydrate();
    } catch {
      // What has panicked is not called again.
      endLink();
      page = await load(`${js}?anew`);
      const sent = await ask();
      // At once, before anybody changes this too.
      show(sent);
      page.hydrate();
    }
  }

  // The page has put it there. Without its handlers nothing that has panicked is called.
  const endLink = () => app()?.socket?.off().disconnect();

  function fail(error) {
    if (hasFailed) return;
    hasFailed = true;
    console.warn('The page is not live:', error);
    history.replaceState({ ...history.state, failures: [...failures(), Date.now()] }, '');
    endLink();
    // What goes on in a page that has panicked is not seen any more, and it asks for nothing
    // once its element is gone.
    if (isAlive) app()?.replaceWith(app().cloneNode(true));
    goOn(isAlive ? REFRESH / 6 : REFRESH, new Date());
  }

  // Without life: says so, and refreshes what is shown, unless that is not wanted.
  async function goOn(pause, shownAt) {
    if (isRefreshing) return;
    isRefreshing = true;
    await parsed;
    root.dataset.plain = '';
    say(shownAt);
    while (refresh && (hasFailed || !isAlive)) {
      await wait(pause);
      // Nobody looks at it.
      if (document.hidden) await new Promise((done) => addEventListener('visibilitychange', done, { once: true }));
      pause = Math.max(REFRESH, await look());
    }
    isRefreshing = false;
  }

  // Shows what the server renders now, or lets it begin anew. For how long the server
  // wants not to be asked, in milliseconds.
  async function look() {
    try {
      const page = await ask();
      const search = document.getElementById('q');
      const isTyping = search && (search.value || search === document.activeElement);
      if (hasFailed && !isTyping && failures().length <= RELOADS) location.reload();
      else if (hasFailed || !isAlive) show(page);
    } catch (error) {
      return 1000 * (Number(error.retryAfter) || 0);
    }
    return 0;
  }

  // The page as the server renders it now: as JSON, which nobody rewrites on its way.
  async function ask() {
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
    if (focused) fresh.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    say(new Date());
  }

  function say(shownAt) {
    const time = document.querySelector('.not-live time');
    if (time) time.textContent = shownAt.toLocaleTimeString(root.lang);
  }

  // A panic, or what the browser has thrown into the middle of the compiled page.
  const watch = (error, file) => {
    if (/wasm/.test(error?.stack) || (js && file?.endsWith(js))) fail(error);
  };
  addEventListener('error', ({ error, filename }) => watch(error, filename));
  addEventListener('unhandledrejection', ({ reason }) => watch(reason));

  if (!js || failures().length > RELOADS) {
    hasFailed = true;
    goOn(REFRESH, new Date());
  } else {
    const late = setTimeout(() => goOn(0, new Date(performance.timeOrigin)), LATE);
    start()
      .then(() => {
        isAlive = true;
        delete root.dataset.plain;
      }, fail)
      .finally(() => clearTimeout(late));
  }
}
