// What a board under a path says of itself, and to whom it listens.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { picture } from './support/picture.mjs';
import { leaderboard, newUser, request, startPodium, token } from './support/podium.mjs';
import { connect, roundTrip } from './support/socket.mjs';
import { podiumForSuite } from './support/suite.mjs';
import { NAVIGATES, visit } from './support/visit.mjs';

describe('a board under a path', () => {
  const podium = podiumForSuite({
    env: {
      PODIUM_HTTP__BASE_PATH: '/games/board',
      PODIUM_HTTP__PUBLIC_URL: 'https://host.example',
    },
  });
  const get = (path) => fetch(new URL(path, podium.url));

  it('is served with the path and without', async () => {
    for (const path of ['/', '/games/board', '/games/board/', '/games/board/?view=kiosk']) {
      assert.equal((await get(path)).status, 200, path);
    }
    for (const path of ['/games/boards', '/games', '/games/board/games/board/x']) {
      assert.equal((await get(path)).status, 404, path);
    }
    const board = await leaderboard(podium.url);
    assert.deepEqual(await (await get('/games/board/api/v1/leaderboard')).json(), board);
    assert.equal((await get('/games/board/readyz')).status, 200);
    assert.equal((await get('/games/board/favicon.svg')).status, 200);
  });

  it('has no address in its documents that is not under the path', async () => {
    const user = await newUser(podium, 'Ada');
    const cookie = `__Secure-podium_token=${token({ user })}`;
    for (const path of ['/', '/?page=1', '/?q=a', `/players/${user}`, '/nowhere', '/?view=embed']) {
      const { body } = await visit(podium, path, { headers: { ...NAVIGATES, cookie } });
      const inPlaces = [...body.matchAll(/(?:href|src|action)="?(\/[^"> ]*)/g)];
      const imported = [...body.matchAll(/(?:import\(|module_or_path: ?)"(\/[^"]*)/g)];
      const addresses = [...inPlaces, ...imported].map(([, address]) => address);
      assert.ok(addresses.length > 5, path);
      for (const address of addresses) assert.match(address, /^\/games\/board\//, path);
    }
  });

  it('tells others where it is', async () => {
    const html = await (await get('/games/board/')).text();
    assert.match(html, /<link rel="canonical" href="https:\/\/host\.example\/games\/board\/"/);
    assert.match(html, /content="https:\/\/host\.example\/games\/board\/share\.png\?seq=\d+"/);
    const manifest = await (await get('/games/board/manifest.webmanifest')).json();
    for (const key of ['id', 'start_url', 'scope']) assert.equal(manifest[key], '/games/board/');
    for (const { src } of manifest.icons) assert.match(src, /^\/games\/board\//);
    const drawn = await picture(new URL('/games/board/share.png', podium.url));
    assert.equal(drawn.status, 200);
  });

  it('signs in there, by cookies of the path', async () => {
    const user = await newUser(podium, 'Grace');
    for (const prefix of ['', '/games/board']) {
      const path = `${prefix}/?view=kiosk&token=${token({ user })}`;
      const { location, cookies } = await visit(podium, path, { headers: NAVIGATES });
      assert.equal(location, '/games/board/?view=kiosk');
      assert.match(cookies[0], /^__Secure-podium_token=.*; Path=\/games\/board;/);
      const out = await visit(podium, `${prefix}/sign-out`, {
        form: {},
        cookies: { '__Secure-podium_token': token({ user }) },
      });
      assert.equal(out.location, '/games/board/');
      assert.match(out.cookies[0], /; Path=\/games\/board; Max-Age=0/);
    }
    const evil = await visit(podium, `/games/board//evil.example/?token=x`, { headers: NAVIGATES });
    assert.equal(evil.location, '/games/board/evil.example/?signin=failed');
  });

  it('has its socket there, and lets no stranger in by it', async () => {
    const user = await newUser(podium, 'Linus');
    for (const path of ['/games/board/socket.io/', '/socket.io/']) {
      for (const transports of [['websocket'], ['polling']]) {
        const options = { token: token({ user }), path, transports };
        await roundTrip(await connect(new URL(podium.url).origin, options));
      }
      const stranger = { headers: { origin: 'https://evil.example' } };
      const { status } = await visit(podium, `${path}?EIO=4&transport=polling`, stranger);
      assert.equal(status, 403);
    }
  });
});

describe('a base path that cannot be', () => {
  for (const path of ['board', '/board/', '/a//b', '/a b', '/api', 'https://host.example/board']) {
    it(`is refused at the start: ${path}`, async () => {
      const starting = startPodium({ env: { PODIUM_HTTP__BASE_PATH: path } });
      await assert.rejects(starting, /is no base path: .*write it as \\?"\/board\\?"/);
    });
  }
});

describe('a board at the root', () => {
  it('says nothing of a base path', async () => {
    const podium = await startPodium();
    const { body } = await request(podium.url, 'GET', '/');
    await podium.stop();
    assert.match(body, /"title":"Podium"/);
    assert.doesNotMatch(body, /"base":/);
    assert.match(body, /href="?\/favicon\.svg/);
  });
});
