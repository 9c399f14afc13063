// The page never dies in silence: whatever others do to its document before or after it
// comes to life, it is built anew; and where its scripts do not run it refreshes itself,
// and says that it is not live.

import { act, publisherToken, request, startPodium } from './support/podium.mjs';
import {
  expect,
  expectBoard,
  live,
  players,
  refreshingSoon,
  refreshSoon,
  row,
  rows,
  signInPath,
  test,
  withChart,
} from './support/page.mjs';

/** What others do to a document. Each is a function that the browser runs. */
const HINDRANCES = {
  'text nodes are wrapped, as page translation does': () => {
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = [];
    while (texts.nextNode()) found.push(texts.currentNode);
    for (const text of found) {
      if (!text.data.trim() || text.parentElement.closest('script, style')) continue;
      const [outer, inner] = ['font', 'font'].map((name) => document.createElement(name));
      text.replaceWith(outer);
      outer.append(inner);
      inner.append(text.data);
    }
  },
  'comments and white space are removed': () => {
    const nodes = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_COMMENT);
    const found = [];
    while (nodes.nextNode()) found.push(nodes.currentNode);
    for (const node of found) if (node.nodeType === Node.COMMENT_NODE || !node.data.trim()) node.remove();
    document.body.normalize();
  },
  'white space is added': () => {
    for (const element of document.body.querySelectorAll('*')) {
      if (!element.closest('script, style, svg')) element.before('\n  ');
    }
  },
  'a number is turned into a link': () => {
    for (const score of document.querySelectorAll('[data-field=score], .players')) {
      const link = document.createElement('a');
      link.href = `tel:${score.textContent}`;
      link.append(...score.childNodes);
      score.append(link);
    }
  },
  'an element is put first on the board': () => {
    const element = document.createElement('div');
    element.className = 'extension';
    document.querySelector('ol.board').prepend(element);
  },
  'elements are put between the rows and into them': () => {
    for (const item of document.querySelectorAll('ol.board > li, ol.board > li > span')) {
      const element = document.createElement('span');
      element.append(document.createComment('extension'));
      item.before(element);
    }
  },
  'attributes are added': () => {
    for (const element of document.querySelectorAll('*')) {
      element.setAttribute('data-darkreader-inline-color', '');
      element.setAttribute('data-gr-ext-installed', '');
      element.classList.add('extension');
    }
  },
  'nodes are put into head and body': () => {
    for (const parent of [document.head, document.body]) {
      parent.prepend(document.createElement('style'), document.createComment('extension'));
      parent.append(document.createElement('style'), 'extension');
    }
    document.documentElement.append(document.createElement('extension-panel'));
  },
  'texts are replaced': () => {
    for (const element of document.querySelectorAll('.masthead span, .masthead p, ol.board span')) {
      if (element.childElementCount === 0) element.textContent = 'replaced';
    }
  },
  'a row is removed': () => document.querySelector('ol.board > li').remove(),
  'the board is taken out of the document': () => document.querySelector('ol.board').remove(),
};

/** Holds back what brings the page to life, until `release` is called. */
async function holdBack(page) {
  let release;
  const released = new Promise((resolve) => (release = resolve));
  await page.route('**/*.wasm', async (route) => {
    await released;
    await route.continue();
  });
  return release;
}

/** How long a page that is built anew may take for it. */
const REBUILT = { timeout: 30_000 };

/** Waits until the page shows this board, perhaps after it was built anew. */
const expectBoardSoon = (page, board) => expectBoard(page, board, REBUILT);

/** Does the page go on with the board, of Ada with 30 points and Grace with 20? */
async function expectFollows(podium, page, { Ada, Grace }) {
  await act(podium.url, { userId: Ada, scoreIncrease: 1 });
  await act(podium.url, { userId: Grace, scoreIncrease: 1000 });
  await expectBoardSoon(page, ['1 Grace 1020', '2 Ada 31']);
  await players(podium, { Alan: 5 });
  await expectBoardSoon(page, ['1 Grace 1020', '2 Ada 31', '3 Alan 5']);
  // A change that moves nobody.
  await act(podium.url, { userId: Ada, scoreIncrease: 1 });
  await expectBoardSoon(page, ['1 Grace 1020', '2 Ada 32', '3 Alan 5']);
  await expect(page.locator('.players')).toHaveText('3 players', REBUILT);
}

for (const [name, hinder] of Object.entries(HINDRANCES)) {
  test(`the page comes to life where ${name}`, async ({ podium, open }) => {
    const ids = await players(podium, { Ada: 30, Grace: 20 });
    let release;
    const prepare = async (page) => (release = await holdBack(page));
    const page = await open({ prepare, path: signInPath(ids.Ada), expectErrors: true });
    await expect(rows(page)).toHaveCount(2);
    await page.evaluate(hinder);
    release();
    await live(page);
    await expectFollows(podium, page, ids);
    await expect(page.locator('.not-live')).toBeHidden();
  });

  test(`a living page goes on where ${name}`, async ({ podium, open }) => {
    test.slow();
    const ids = await players(podium, { Ada: 30, Grace: 20 });
    const page = await open({ expectErrors: true });
    await live(page);
    await page.evaluate(hinder);
    await expectFollows(podium, page, ids);
    await expect(page.locator('[data-connection=live]')).toBeVisible(REBUILT);
    await podium.kill();
    await expect(page.locator('.status .label')).toHaveText('Not live');
  });
}

test('what nobody has touched is kept as the server sent it', async ({ podium, open }) => {
  const { Ada } = await players(podium, { Ada: 30, Grace: 20 });
  let release;
  const page = await open({ prepare: async (page) => (release = await holdBack(page)) });
  await row(page, Ada).evaluate((element) => (element.mark = 'sent'));
  release();
  await live(page);
  await act(podium.url, { userId: Ada, scoreIncrease: 1 });
  await expectBoard(page, ['1 Ada 31', '2 Grace 20']);
  expect(await row(page, Ada).evaluate((element) => element.mark)).toBe('sent');
});

test('names and numbers are neither translated nor turned into links', async ({ podium, open }) => {
  const { Ada } = await players(podium, { Ada: 12345678, Grace: 20 });
  const marked = (page, selector) =>
    page.locator(selector).evaluateAll((found) => {
      return found.length > 0 && found.every((it) => it.closest('[translate=no].notranslate'));
    });
  const fields = ['rank', 'name', 'score'].map((field) => `ol.board [data-field=${field}]`);
  const own = ['.you-name', '#you [data-field=rank]', '#you [data-field=score]', '.avatar'];
  const chart = ['.legend bdi', '.legend span', '.race td', '.race thead bdi'];
  const player = ['.who bdi', '.figures dd', 'td'];
  const pages = {
    [signInPath(Ada)]: [...fields, ...own, ...chart],
    '/?view=kiosk': fields,
    '/?view=embed': fields,
    '/?q=Ada': ['ol.board bdi', '.rank', '.score'],
    [`/players/${Ada}`]: player,
  };
  for (const [path, selectors] of Object.entries(pages)) {
    const page = await open({ path });
    if (selectors.includes(chart[0])) await withChart(page);
    for (const selector of selectors) {
      await expect.poll(() => marked(page, selector), `${path} ${selector}`).toBe(true);
    }
    const detection = page.locator('meta[name=format-detection]');
    await expect(detection).toHaveAttribute('content', /telephone=no/);
    // All else may be.
    expect(await page.locator('html, body, main').evaluateAll((it) => it.some((it) => !it.translate))).toBe(false);
  }
});

const REFUSED = {
  'the compiled page is blocked': (page) => page.route('**/*.wasm', (route) => route.abort()),
  'the compiled page is broken': (page) =>
    page.route('**/*.wasm', (route) => route.fulfill({ contentType: 'application/wasm', body: 'no' })),
  'the script is blocked': (page) => page.route('**/pkg/*.js', (route) => route.abort()),
  'the Socket.IO client is blocked': (page) => page.route('**/vendor/*.js', (route) => route.abort()),
  'WebAssembly is switched off': (page) => page.addInitScript(() => delete globalThis.WebAssembly),
  'a proxy forbids to compile': (page) => rewrite(page, { policy: "script-src 'self' 'unsafe-inline'" }),
};

/** What proxies do to pages on their way. */
const REWRITTEN = {
  'removes comments and white space': (html) => html.replace(/<!(--.*?--)?>|(?<=>)\s+(?=<)/gs, ''),
  'takes away what the page knows': (html) => html.replace(/<script type="application\/json".*?<\/script>/s, ''),
  'takes away the board': (html) => html.replace(/<div id="app".*?<\/ol>.*?<\/main>/s, '<main>'),
  'marks numbers': (html) => html.replace(/(?<=>)\d+(?=<)/g, '<a href="tel:$&">$&</a>'),
};

/** Lets a proxy change the page on its way, where it is HTML. */
async function rewrite(page, { policy, html = (html) => html, status = () => undefined }) {
  await page.route(
    (url) => url.pathname === '/',
    async (route) => {
      const response = await route.fetch();
      const headers = { ...response.headers() };
      if (policy) headers['content-security-policy'] = policy;
      const isPage = headers['content-type'].startsWith('text/html');
      const text = await response.text();
      await route.fulfill({ response, headers, status: status(), body: isPage ? html(text) : text });
    },
  );
}

for (const [name, html] of Object.entries(REWRITTEN)) {
  test(`the page comes to life where a proxy ${name}`, async ({ podium, open }) => {
    const ids = await players(podium, { Ada: 30, Grace: 20 });
    const page = await open({ prepare: (page) => rewrite(page, { html }), expectErrors: true });
    await live(page);
    await expectFollows(podium, page, ids);
  });
}

/** Lets half a minute and some more pass. */
const soon = (page) => page.clock.fastForward(45_000);

/** As long as a page may take to refresh itself before it is let do so again. */
const REFRESHED = { timeout: 5_000 };

/** Lets the page refresh itself, again and again, until this is so. */
const refreshed = (page, isSo) =>
  expect(async () => {
    await soon(page);
    await isSo();
  }).toPass();

/** Lets the page refresh itself until it shows this board. */
const expectRefreshed = (page, board) =>
  refreshed(page, () => expectBoard(page, board, REFRESHED));

/** Lets the page refresh itself until it is live. */
const expectLiveSoon = (page) =>
  refreshed(page, () => expect(page.locator('[data-connection=live]')).toBeVisible(REFRESHED));

/** Lets the page refresh itself until this user is first. */
const expectFirst = (page, user) =>
  refreshed(page, () => expect(rows(page).first()).toHaveAttribute('data-user-id', user, REFRESHED));

for (const [name, refuse] of Object.entries(REFUSED)) {
  test(`the page says that it is not live and refreshes itself where ${name}`, async ({ podium, open }) => {
    test.slow();
    const { Ada, Grace } = await players(podium, { Ada: 30, Grace: 20 });
    const prepare = async (page) => {
      await page.clock.install();
      await refuse(page);
    };
    const page = await open({ prepare, expectErrors: true });
    await expect(page.getByText('Not live.')).toBeVisible();
    await expect(page.locator('.status')).toBeHidden();
    await expect(page.locator('.controls')).toBeHidden();
    await act(podium.url, { userId: Grace, scoreIncrease: 100 });
    await expectRefreshed(page, ['1 Grace 120', '2 Ada 30']);
    await act(podium.url, { userId: Ada, scoreIncrease: 100 });
    await expectRefreshed(page, ['1 Ada 130', '2 Grace 120']);
    await expect(page.getByText('Not live.')).toBeVisible();
  });
}

test('a page that refreshes itself removes a deleted player from its race chart', async ({ podium, open }) => {
  test.slow();
  const { Ada, Grace } = await players(podium, { Ada: 30, Grace: 20 });
  await act(podium.url, { userId: Ada, scoreIncrease: 1 });
  const prepare = async (page) => {
    await page.clock.install();
    // It never comes, so nothing fails and the page is not reloaded.
    await holdBack(page);
  };
  const page = await open({ prepare, expectErrors: true });
  // A page does not wait long for its race chart; the next one has it.
  await expect(async () => {
    await page.reload();
    await expect(page.locator('.race')).toBeVisible({ timeout: 1 });
  }).toPass();
  await soon(page);
  await expect(page.getByText('Not live.')).toBeVisible();
  const names = page.locator('.legend bdi').filter({ visible: true });
  await expect(names).toHaveText(['Ada', 'Grace']);
  const path = `/api/v1/users/${Grace}`;
  const { status } = await request(podium.url, 'DELETE', path, { token: publisherToken() });
  expect(status).toBe(204);
  await expect(async () => {
    await soon(page);
    await expect(names).toHaveText(['Ada'], { timeout: 1_000 });
  }).toPass();
  await expectBoard(page, ['1 Ada 31']);
});

test('a page that could not begin is live when it can', async ({ podium, open }) => {
  await players(podium, { Ada: 30 });
  let isBlocked = true;
  const prepare = async (page) => {
    await page.clock.install();
    await page.route('**/*.wasm', (route) => (isBlocked ? route.abort() : route.continue()));
  };
  const page = await open({ prepare, expectErrors: true });
  await expect(page.getByText('Not live.')).toBeVisible();
  isBlocked = false;
  await expectLiveSoon(page);
  await expect(page.locator('.not-live')).toBeHidden();
});

test('a page that comes late refreshes itself meanwhile', async ({ podium, open }) => {
  const { Ada } = await players(podium, { Ada: 30, Grace: 20 });
  let release;
  const prepare = async (page) => {
    await page.clock.install();
    release = await holdBack(page);
  };
  const page = await open({ prepare });
  await expect(page.locator('[data-connection=connecting]')).toBeVisible();
  await refreshed(page, () => expect(page.getByText('Not live.')).toBeVisible(REFRESHED));
  await act(podium.url, { userId: Ada, scoreIncrease: 1 });
  await expectRefreshed(page, ['1 Ada 31', '2 Grace 20']);
  await row(page, Ada).evaluate((element) => (element.mark = 'sent'));
  release();
  await live(page);
  await expect(page.locator('.not-live')).toBeHidden();
  // It was brought to life as it was.
  expect(await row(page, Ada).evaluate((element) => element.mark)).toBe('sent');
});

test('a page without life keeps what is typed, the focus and its place', async ({ podium, open }) => {
  const many = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`Player ${i}`, 100 - i]));
  const ids = Object.values(await players(podium, many));
  const prepare = async (page) => {
    await page.clock.install();
    await REFUSED['the compiled page is blocked'](page);
  };
  const page = await open({ prepare, expectErrors: true, viewport: { width: 640, height: 400 } });
  await expect(page.getByText('Not live.')).toBeVisible();
  await page.getByRole('searchbox').fill('Pla');
  await page.evaluate(() => scrollTo(0, 300));
  const place = await page.evaluate(() => scrollY);
  expect(place).toBeGreaterThan(0);
  for (const points of [101, 102]) {
    await act(podium.url, { userId: ids[9], scoreIncrease: points });
    await expectFirst(page, ids[9]);
  }
  await expect(page.getByRole('searchbox')).toHaveValue('Pla');
  await expect(page.getByRole('searchbox')).toBeFocused();
  expect(await page.evaluate(() => scrollY)).toBe(place);

  await row(page, ids[4]).getByRole('link').focus();
  await act(podium.url, { userId: ids[4], scoreIncrease: 1000 });
  await expectFirst(page, ids[4]);
  await expect(row(page, ids[4]).getByRole('link')).toBeFocused();
});

test('a page without life outlives the server', async ({ podium, open }) => {
  test.slow();
  const { Ada } = await players(podium, { Ada: 30 });
  const prepare = async (page) => {
    await page.clock.install();
    await REFUSED['the compiled page is blocked'](page);
  };
  const page = await open({ prepare, expectErrors: true });
  await expect(page.getByText('Not live.')).toBeVisible();
  await podium.kill();
  await soon(page);
  await soon(page);
  await expectBoard(page, ['1 Ada 30']);
  const { host } = new URL(podium.url);
  const again = await startPodium({ database: podium.database, env: { LEPTOS_SITE_ADDR: host } });
  try {
    await act(again.url, { userId: Ada, scoreIncrease: 1 });
    await expectRefreshed(page, ['1 Ada 31']);
  } finally {
    await again.stop();
  }
});

test('a page that dies later comes back, and no more than three times', async ({ podium, open }) => {
  test.slow();
  const { Ada } = await players(podium, { Ada: 30 });
  let loads = 0;
  const prepare = async (page) => {
    page.on('domcontentloaded', () => (loads += 1));
    await page.clock.install();
    await page.addInitScript(() => {
      // The page asks for it when a score has changed.
      Element.prototype.getBoundingClientRect = () => document.body.removeChild(document.head);
    });
  };
  const page = await open({ prepare, expectErrors: true });
  let points = 30;
  for (let death = 1; death <= 4; death++) {
    await live(page);
    await expect(page.locator('.not-live')).toBeHidden();
    points += 1;
    await act(podium.url, { userId: Ada, scoreIncrease: 1 });
    await expect(page.getByText('Not live.')).toBeVisible();
    await expect(page.locator('.status')).toBeHidden();
    await soon(page);
    if (death < 4) await expect.poll(() => loads).toBe(death + 1);
  }
  await act(podium.url, { userId: Ada, scoreIncrease: 1 });
  await expectRefreshed(page, [`1 Ada ${points + 1}`]);
  expect(loads).toBe(4);
  await expect(page.getByText('Not live.')).toBeVisible();
  // An hour later it may try again.
  await page.clock.fastForward(3_700_000);
  await live(page);
});

test('who types is not disturbed by a page that comes back', async ({ podium, open }) => {
  const { Ada } = await players(podium, { Ada: 30 });
  const page = await open({ prepare: (page) => page.clock.install(), expectErrors: true });
  await live(page);
  await page.getByRole('searchbox').fill('Ad');
  await page.evaluate(() => {
    Element.prototype.getBoundingClientRect = () => undefined.missing;
  });
  await act(podium.url, { userId: Ada, scoreIncrease: 1 });
  await expect(page.getByText('Not live.')).toBeVisible();
  await act(podium.url, { userId: Ada, scoreIncrease: 1 });
  await expectRefreshed(page, ['1 Ada 32']);
  await expect(page.getByRole('searchbox')).toHaveValue('Ad');
  await page.getByRole('searchbox').fill('');
  await page.getByRole('searchbox').blur();
  await expectLiveSoon(page);
});

test('a page that has died leaves the server alone', async ({ podium, open }) => {
  test.slow();
  const { Ada } = await players(podium, { Ada: 30 });
  const links = [];
  const page = await open({
    expectErrors: true,
    prepare: (page) => {
      page.on('websocket', (link) => link.url().includes('/socket.io/') && links.push(link));
    },
  });
  await live(page);
  await expect.poll(() => links.length).toBe(1);
  // It does not come back while somebody types.
  await page.getByRole('searchbox').fill('Ad');
  await page.evaluate(() => {
    Element.prototype.getBoundingClientRect = () => undefined.missing;
  });
  await act(podium.url, { userId: Ada, scoreIncrease: 1 });
  await expect(page.getByText('Not live.')).toBeVisible();
  await expect.poll(() => links[0].isClosed()).toBe(true);
  // What the browser tells the page does not wake it.
  const asked = [];
  page.on('request', (request) => asked.push(new URL(request.url()).pathname));
  for (let second = 0; second < 5; second++) {
    await page.evaluate(() => dispatchEvent(new Event('online')));
    await page.waitForTimeout(1_000);
  }
  expect(links.length).toBe(1);
  expect(asked.filter((path) => path !== '/')).toEqual([]);
});

test('errors of others do not end the page', async ({ podium, open }) => {
  const { Ada } = await players(podium, { Ada: 30 });
  const page = await open({ expectErrors: true });
  await live(page);
  await page.evaluate(() => {
    setTimeout(() => undefined.missing);
    Promise.reject(new Error('of an extension'));
    dispatchEvent(new ErrorEvent('error', { message: 'Script error.' }));
  });
  await act(podium.url, { userId: Ada, scoreIncrease: 1 });
  await expectBoard(page, ['1 Ada 31']);
  await expect(page.locator('.not-live')).toBeHidden();
});

for (const policy of ["script-src 'none'", "script-src 'self'"]) {
  test(`where a proxy sends ${policy} the page refreshes itself`, async ({ podium, open }) => {
    test.slow();
    const { Ada } = await players(podium, { Ada: 30, Grace: 20 });
    const prepare = (page) =>
      rewrite(page, { html: refreshingSoon, policy: `default-src 'self' 'unsafe-inline'; ${policy}` });
    const page = await open({ prepare, expectErrors: true });
    await expect(page.getByText('Not live.')).toBeVisible();
    await expect(page.locator('.status')).toBeHidden();
    await act(podium.url, { userId: Ada, scoreIncrease: -20 });
    await expect(rows(page).first()).toContainText('Grace', REBUILT);
    await expect(page.getByText('Not live.')).toBeVisible();
  });
}

test('a page that could not be shown comes when it can', async ({ podium, open }) => {
  await players(podium, { Ada: 30 });
  let isBusy = true;
  const prepare = async (page) => {
    await page.clock.install();
    // As the page that the server sends where it has too much to do: without what would
    // be brought to life.
    const html = (html) => (isBusy ? html.replace(/ data-js="[^"]*"/, '').replace(/<main.*<\/main>/s, '') : html);
    await rewrite(page, { html, status: () => (isBusy ? 503 : 200) });
  };
  const page = await open({ prepare, expectErrors: true });
  await soon(page);
  await expect(rows(page)).toHaveCount(0);
  isBusy = false;
  await expectLiveSoon(page);
});

for (const view of ['kiosk', 'embed']) {
  test(`the ${view} comes to life where texts are wrapped, and goes on`, async ({ podium, open }) => {
    test.slow();
    const ids = await players(podium, { Ada: 30, Grace: 20 });
    let release;
    const prepare = async (page) => (release = await holdBack(page));
    const page = await open({ prepare, path: `/?view=${view}`, expectErrors: true });
    await page.evaluate(HINDRANCES['text nodes are wrapped, as page translation does']);
    release();
    await live(page);
    await page.evaluate(HINDRANCES['a row is removed']);
    await expectFollows(podium, page, ids);
  });

  test(`the ${view} refreshes itself where the compiled page is blocked`, async ({ podium, open }) => {
    const { Ada } = await players(podium, { Ada: 30, Grace: 20 });
    const prepare = async (page) => {
      await page.clock.install();
      await REFUSED['the compiled page is blocked'](page);
    };
    const page = await open({ prepare, path: `/?view=${view}`, expectErrors: true });
    await expect(page.getByText('Not live.')).toBeVisible();
    await act(podium.url, { userId: Ada, scoreIncrease: -20 });
    await expectRefreshed(page, ['1 Grace 20', '2 Ada 10']);
  });

  test(`without scripts the ${view} refreshes itself and says that it is not live`, async ({ podium, open }) => {
    test.slow();
    const { Ada } = await players(podium, { Ada: 30, Grace: 20 });
    const page = await open({ javaScriptEnabled: false, path: `/?view=${view}`, prepare: refreshSoon });
    await expect(page.getByText('Not live.')).toBeVisible();
    await act(podium.url, { userId: Ada, scoreIncrease: -20 });
    await expect(rows(page).first()).toContainText('Grace', REBUILT);
  });
}
