// What a browser is told about the page and its files: names, types, encodings, for
// how long each may be kept, and what the page may do.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import { act, putUser, token } from './support/podium.mjs';
import { podiumForSuite, podiumForTest } from './support/suite.mjs';

const FOR_EVER = 'public, max-age=31536000, immutable';
const HASH = '[A-Za-z0-9_-]{22}';

const get = (podium, path, headers = {}) => fetch(new URL(path, podium.url), { headers });

const page = async (podium, path = '/') => (await get(podium, path)).text();

/** The address of the one file that the page asks for by a name like this. */
function linked(html, pattern) {
  const found = new Set(html.match(new RegExp(`(?<=")/${pattern}(?=")`, 'g')));
  assert.equal(found.size, 1, `${pattern} in ${html.slice(0, 3000)}`);
  return [...found][0];
}

describe('the files of the page', () => {
  const podium = podiumForSuite();
  const files = [
    ['the styles', `pkg/podium\\.${HASH}\\.css`, 'text/css'],
    ['the script', `pkg/podium\\.${HASH}\\.js`, 'text/javascript'],
    ['the program', `pkg/podium\\.${HASH}\\.wasm`, 'application/wasm'],
    ['the Socket.IO client', 'vendor/socket\\.io-[0-9.]+\\.esm\\.min\\.js', 'text/javascript'],
  ];
  for (const [name, pattern, type] of files) {
    it(`${name} is kept for ever by a name that changes with it`, async () => {
      const address = linked(await page(podium), pattern);
      for (const encoding of ['br', 'gzip', 'identity']) {
        const response = await get(podium, address, { 'accept-encoding': encoding });
        assert.equal(response.status, 200);
        assert.equal(response.headers.get('content-type'), type);
        assert.equal(response.headers.get('cache-control'), FOR_EVER);
        assert.equal(response.headers.get('content-encoding') ?? 'identity', encoding);
        assert.match(response.headers.get('vary'), /accept-encoding/);
        assert.ok((await response.arrayBuffer()).byteLength > 1000);
      }
    });
  }

  it('the scripts ask for each other by the names that the page preloads', async () => {
    const html = await page(podium);
    const script = linked(html, files[1][1]);
    const client = linked(html, files[3][1]);
    const source = await (await get(podium, script)).text();
    const imported = [...source.matchAll(/from"([^"]+)"|from "([^"]+)"|import"([^"]+)"/g)];
    const addresses = imported.map((names) => new URL(names.slice(1).find(Boolean), new URL(script, podium.url)));
    const paths = addresses.map(({ pathname }) => pathname);
    assert.ok(paths.includes(client), `${script} loads ${paths}, and not ${client}`);
  });

  it('all else is asked for again, and answered briefly if it is as it was', async () => {
    const response = await get(podium, '/favicon.svg');
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('cache-control'), 'no-cache');
    const since = response.headers.get('last-modified');
    const again = await get(podium, '/favicon.svg', { 'if-modified-since': since });
    assert.equal(again.status, 304);
    assert.equal(again.headers.get('cache-control'), 'no-cache');
  });

  it('the page itself is never kept', async () => {
    const response = await get(podium, '/');
    assert.equal(response.headers.get('cache-control'), 'no-store');
  });

  it('names with another hash lead nowhere, and may lead somewhere tomorrow', async () => {
    for (const address of [
      '/pkg/podium.css',
      `/pkg/podium.${'A'.repeat(22)}.css`,
      `/pkg/podium.${'A'.repeat(22)}.wasm`,
      '/vendor/socket.io-0.0.0.esm.min.js',
    ]) {
      const response = await get(podium, address);
      assert.equal(response.status, 404, address);
      assert.equal(response.headers.get('cache-control'), 'no-store');
    }
  });

  it('the page for addresses that lead nowhere has its styles', async () => {
    const response = await get(podium, '/nowhere');
    assert.equal(response.status, 404);
    assert.equal(linked(await response.text(), files[0][1]), linked(await page(podium), files[0][1]));
  });
});

it('files without a hash, as scripts/watch builds them, are asked for again', async (t) => {
  const site = mkdtempSync(join(tmpdir(), 'podium-site-'));
  t.after(() => rmSync(site, { recursive: true }));
  mkdirSync(join(site, 'pkg'));
  for (const name of ['podium.css', 'podium.js', 'podium.wasm']) {
    writeFileSync(join(site, 'pkg', name), '');
  }
  const podium = await podiumForTest(t, { env: { LEPTOS_SITE_ROOT: site } });
  const html = await page(podium);
  for (const pattern of ['pkg/podium\\.css', 'pkg/podium\\.js', 'pkg/podium\\.wasm']) {
    const response = await get(podium, linked(html, pattern));
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('cache-control'), 'no-cache');
  }
});

describe('what the page may do', () => {
  const PICTURES = 'https://pictures.example';
  const SCHOOL = 'https://school.example';
  const podium = podiumForSuite({
    env: { PODIUM_HTTP__AVATAR_ORIGINS: PICTURES, PODIUM_HTTP__EMBED_ORIGINS: SCHOOL },
  });

  /** The directives of a policy, by name. */
  const policyOf = (response) => {
    const directives = response.headers.get('content-security-policy').split('; ');
    return Object.fromEntries(
      directives.map((directive) => {
        const [name, ...sources] = directive.split(' ');
        return [name, sources];
      }),
    );
  };

  it('runs its own scripts, and those in the page by a nonce of this answer alone', async () => {
    const nonces = new Set();
    for (let i = 0; i < 2; i++) {
      const response = await get(podium, '/');
      const [self, nonce, wasm, ...others] = policyOf(response)['script-src'];
      assert.deepEqual([self, wasm, others], ["'self'", "'wasm-unsafe-eval'", []]);
      const [, value] = /^'nonce-(.{20,})'$/.exec(nonce);
      nonces.add(value);
      const scripts = (await response.text()).match(/<script[^>]*>/g);
      assert.ok(scripts.length > 0);
      // Data is not run, and a script of our own needs no nonce.
      const isOther = (script) => !/ src="\/|type="application\/json"/.test(script);
      const written = scripts.filter(isOther);
      assert.ok(written.length > 0);
      for (const script of written) assert.ok(script.includes(`nonce="${value}"`), script);
    }
    assert.equal(nonces.size, 2);
  });

  it('hands each viewer a token and a nonce of their own, and each player their own page', async () => {
    const user = randomUUID();
    await putUser(podium.url, user, 'Ada');
    const cookie = `podium_token=${token({ user })}`;
    const snapshots = [];
    for (const headers of [{}, {}, { cookie }, {}]) {
      const response = await get(podium, '/', headers);
      const [, nonce] = policyOf(response)['script-src'];
      const html = await response.text();
      assert.ok(html.includes(`nonce="${/'nonce-(.+)'/.exec(nonce)[1]}"`));
      const [, json] = /<script[^>]* id="snapshot"[^>]*>(.*?)<\/script>/.exec(html);
      snapshots.push({ html, ...JSON.parse(json) });
    }
    const [first, second, player, last] = snapshots;
    assert.equal(new Set(snapshots.map((it) => it.token)).size, 4);
    assert.equal(player.you.userId, user);
    for (const viewer of [first, second, last]) {
      assert.equal(viewer.you, null);
      assert.deepEqual(viewer.board.topScores, player.board.topScores);
      // Nothing of whoever else was here.
      for (const other of snapshots) {
        if (other !== viewer) assert.ok(!viewer.html.includes(other.token));
      }
    }
    await act(podium.url, { userId: user, scoreIncrease: 77 });
    assert.match(await (await get(podium, '/')).text(), /"score":77/);
  });

  it('keeps no page for another address than it was asked for by', async () => {
    // Of two values of one name the last counts, however the name is written.
    for (const [strange, plain] of [
      ['/?view=embed&p%61ge=9', '/?view=embed'],
      ['/?page=1&p%61ge=9', '/?page=1'],
      ['/?p%61ge=9', '/'],
    ]) {
      assert.doesNotMatch(await page(podium, strange), /class="row"/);
      assert.match(await page(podium, plain), /class="row"/);
      assert.doesNotMatch(await page(podium, strange), /class="row"/);
    }
  });

  it('speaks to its own server alone', async () => {
    const policy = policyOf(await get(podium, '/'));
    assert.deepEqual(policy['default-src'], ["'self'"]);
    assert.deepEqual(policy['connect-src'], ["'self'"]);
    assert.deepEqual(policy['form-action'], ["'self'"]);
    assert.deepEqual(policy['object-src'], ["'none'"]);
    assert.deepEqual(policy['base-uri'], ["'none'"]);
    assert.deepEqual(policy['img-src'], ["'self'", 'data:', PICTURES]);
  });

  it('shows pictures from where it may, and initials for all others', async () => {
    const avatars = {
      Ada: '/ada.png',
      Grace: `${PICTURES}/grace.png`,
      Eve: 'https://evil.example/eve.png',
    };
    for (const [name, avatar] of Object.entries(avatars)) {
      const id = randomUUID();
      await putUser(podium.url, id, name, avatar);
      await act(podium.url, { userId: id, scoreIncrease: 1 });
    }
    const html = await page(podium);
    assert.ok(html.includes('Eve'));
    assert.deepEqual(html.match(/(?<=<img src=")[^"]+/g), [avatars.Ada, avatars.Grace]);
    assert.ok(!html.includes('evil.example'));
  });

  it('may be framed by nobody else, but for the embedded view', async () => {
    const framedBy = async (path) => policyOf(await get(podium, path))['frame-ancestors'];
    assert.deepEqual(await framedBy('/'), ["'self'"]);
    assert.deepEqual(await framedBy('/?view=embed'), ["'self'", SCHOOL]);
    for (const path of ['/?view=other', '/nowhere?view=embed', '/page/token?view=embed', '/healthz']) {
      assert.deepEqual(await framedBy(path), ["'self'"], path);
    }
  });

  it('knows nobody in a frame, and says that no cookie is read', async () => {
    const user = randomUUID();
    await putUser(podium.url, user, 'Ada');
    const nobody = /\\?"you\\?":null/;
    const cookie = { cookie: `podium_token=${token({ user })}` };
    for (const path of ['/', '/page/token']) {
      const response = await get(podium, path, cookie);
      assert.match(response.headers.get('vary'), /\bcookie\b/);
      assert.doesNotMatch(await response.text(), nobody);
      const embedded = await get(podium, `${path}?view=embed`, cookie);
      assert.equal(embedded.status, 200);
      assert.doesNotMatch(embedded.headers.get('vary') ?? '', /\bcookie\b/);
      assert.match(await embedded.text(), nobody);
    }
    const link = await get(podium, `/?view=embed&token=${token({ user })}`);
    assert.equal(link.headers.get('set-cookie'), null);
    assert.match(await link.text(), nobody);
  });
});
