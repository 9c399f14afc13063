// Whatever name is taken fits its place: on the board, the podium and the wall, in the
// chart, in search, on the player's page and in the dock.

import { randomUUID } from 'node:crypto';

import { act, publisherToken, request } from './support/podium.mjs';
import { expect, live, signInPath, test } from './support/page.mjs';

const LONGEST = 64;
const OPTIONS = [
  { name: 'a phone', width: 320, height: 700 },
  { name: 'a wide screen', width: 1280, height: 900 },
];

/** A plain name that takes as much room as a name may. */
const PLAIN = 'Wolfeschlegelsteinhausenbergerdorff the Elder of Western Hills';

const HARD = [
  '\ufdfd'.repeat(LONGEST),
  'W'.repeat(LONGEST),
  ('a' + '\u0301\u0489\u030d\u20dd').repeat(12),
  '\u0e0f\u0e4e\u0e4e\u0e4e\u0e4e'.repeat(12),
  '\u05d0\u05b8\u05b8\u05b8\u05b8'.repeat(12),
  '\u{12031}'.repeat(LONGEST),
  '👨‍👩‍👧‍👦'.repeat(9),
  '🇩🇪',
  '🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}',
  'שלום ﷺ مرحبا ﷽',
  'ཧཱུྃ'.repeat(15),
];

/** Always the same ones: mulberry32. */
function randomly(seed) {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/** A name of characters from anywhere in Unicode. */
function anyName(random) {
  const blocks = [0x20, 0x300, 0x590, 0x600, 0x900, 0xe00, 0xf00, 0x1000, 0x1ab0, 0x20d0, 0x2500];
  const far = [0x3000, 0xa800, 0xfb00, 0xfe20, 0x12000, 0x1d100, 0x1f300, 0x1f900];
  const all = [...blocks, ...far];
  const letters = Array.from({ length: 1 + random(LONGEST) }, () =>
    String.fromCodePoint(all[random(all.length)] + random(0xff)),
  );
  return letters.join('');
}

const put = async (podium, username) => {
  const id = randomUUID();
  const { status } = await request(podium.url, 'PUT', `/api/v1/users/${id}`, {
    token: publisherToken(),
    body: { username },
  });
  return status === 201 ? id : undefined;
};

/** Registers these users, the first of them with most points. */
async function board(podium, names) {
  const ids = [];
  for (const name of names) {
    const id = await put(podium, name);
    if (id) ids.push(id);
  }
  for (const [i, userId] of ids.entries()) {
    await act(podium.url, { userId, scoreIncrease: 1000 - i });
  }
  return ids;
}

const heights = (page, selector) =>
  page.locator(selector).evaluateAll((all) => all.map((it) => it.getBoundingClientRect().height));

/** Names that are painted beyond the box that should hold them, or that make the page wide. */
const escapes = (page) =>
  page.evaluate(() => {
    const clips = (element) => {
      const style = getComputedStyle(element);
      return style.overflowY !== 'visible' || /paint|content|strict/.test(style.contain);
    };
    const held = (element) => {
      for (let it = element; it && it !== document.body; it = it.parentElement) {
        if (clips(it)) return it;
      }
      return undefined;
    };
    const shown = '[data-field=name], .legend bdi, .you-name, .you-hint, .who h1, .avatar, .found, th, .around bdi, .notice p';
    const wrong = [...document.querySelectorAll(shown)].flatMap((element) => {
      const box = held(element)?.getBoundingClientRect();
      if (!box) return [`${element.className || element.tagName} is clipped nowhere`];
      return box.height > 0.5 * innerHeight ? [`${element.className || element.tagName} is ${box.height} high`] : [];
    });
    const width = document.documentElement.scrollWidth;
    return width > innerWidth ? [...wrong, `the page is ${width} wide`] : wrong;
  });

for (const { name, width, height } of OPTIONS) {
  test.describe(`on ${name}`, () => {
    test.use({ viewport: { width, height } });

    test('hard names fit every view', async ({ page, podium }) => {
      const ids = await board(podium, HARD);
      expect(ids.length).toBe(HARD.length);
      for (const path of [
        '/',
        '/?page=1',
        '/?view=kiosk',
        '/?view=embed',
        '/?q=w',
        signInPath(ids[4]),
        ...ids.map((id) => `/players/${id}`),
      ]) {
        await page.goto(podium.url + path);
        expect(await escapes(page), path).toEqual([]);
        if (process.env.NAMES_PICTURES && !path.includes('token') ) {
          const file = path.replace(/[^a-z0-9=]/gi, '_').slice(0, 16);
          await page.screenshot({ path: `${process.env.NAMES_PICTURES}/${width}${file}.png`, fullPage: true });
        }
      }
    });

    test('no name makes a row higher than a plain one', async ({ page, podium }) => {
      const random = randomly(width);
      const names = Array.from({ length: 150 }, () => anyName(random));
      const taken = await board(podium, [PLAIN, PLAIN, PLAIN, PLAIN, ...HARD, ...names]);
      expect(taken.length).toBeGreaterThan(HARD.length + 10);
      await page.goto(`${podium.url}/?page=1`);
      await live(page);
      const all = await heights(page, 'ol.board > li');
      const plain = Math.max(...all.slice(0, 4));
      expect(all.length).toBeGreaterThan(HARD.length + 4);
      for (const [i, it] of all.entries()) expect(it, `row ${i}`).toBeLessThanOrEqual(plain + 1);
      expect(await escapes(page)).toEqual([]);
    });
  });
}

test('initials are whole in the browser too', async ({ page, podium }) => {
  const [id] = await board(podium, ['Ada']);
  await page.goto(podium.url);
  await live(page);
  for (const [username, initials] of [
    ['🇩🇪', '🇩🇪'],
    ['👩‍🚀 Ada', 'A'],
    ['👩‍🚀', '👩‍🚀'],
    ['नमस्ते किरण', 'नकि'],
    ['Zoë Müller', 'ZM'],
  ]) {
    const renamed = { token: publisherToken(), body: { username } };
    await request(podium.url, 'PUT', `/api/v1/users/${id}`, renamed);
    await expect(page.locator(`ol.board > li[data-user-id="${id}"] .avatar`)).toHaveText(initials);
  }
});
