// The board in a frame on somebody else's page.

import { once } from 'node:events';
import { createServer } from 'node:http';

import { expect, players, test as base } from './support/page.mjs';
import { token } from './support/podium.mjs';

/**
 * `school`: the origin of a server of somebody else, each of whose pages frames the
 * address that follows `?`. The server under test lets it.
 */
const test = base.extend({
  school: async ({}, use) => {
    const server = createServer((request, response) => {
      const framed = decodeURIComponent(request.url.replace(/^.*?\?/, ''));
      response.setHeader('content-type', 'text/html');
      response.end(`<title>School</title><link rel="icon" href="data:,"><iframe src="${framed}"></iframe>`);
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    // By its name it is of another site than the server under test, which has a number.
    await use(`http://localhost:${server.address().port}`);
    server.closeAllConnections();
    server.close();
  },
  podiumEnv: async ({ school }, use) => use({ PODIUM_HTTP__EMBED_ORIGINS: school }),
});

/** The address of a page that frames a page of the server. */
const framing = (origin, podium, path) => `${origin}/?${encodeURIComponent(podium.url + path)}`;

test('the embedded view is live on a page that may frame it', async ({ podium, school, open }) => {
  const { Ada } = await players(podium, { Ada: 30 });
  const cookie = {
    name: 'podium_token',
    value: token({ user: Ada }),
    domain: new URL(podium.url).hostname,
    path: '/',
    httpOnly: true,
    secure: false,
    sameSite: 'Lax',
    expires: -1,
  };
  const page = await open({
    path: framing(school, podium, '/?view=embed'),
    storageState: { cookies: [cookie], origins: [] },
  });
  const frame = page.frameLocator('iframe');
  await expect(frame.locator('[data-connection=live]')).toBeVisible();
  await expect(frame.locator('ol.board > li')).toContainText('Ada');
  // Whoever is signed in is nobody there.
  await expect(frame.locator('#you')).toHaveCount(0);
});

const refused = {
  'the page itself may not be framed by others': ({ podium, school }) => framing(school, podium, '/'),
  'pages that are not named may not frame the embedded view': ({ podium, school }) =>
    framing(school.replace('localhost', '127.0.0.1'), podium, '/?view=embed'),
};
for (const [name, path] of Object.entries(refused)) {
  test(name, async ({ podium, school, open }) => {
    await players(podium, { Ada: 30 });
    const said = [];
    const page = await open({
      path: path({ podium, school }),
      // The browser says what it refuses.
      expectErrors: true,
      prepare: (page) => page.on('console', (message) => said.push(message.text())),
    });
    await expect.poll(() => said.join()).toContain('frame-ancestors');
    await expect(page.frameLocator('iframe').locator('ol.board')).toHaveCount(0);
  });
}
