// What a browser is told about the page and its files: names, types, encodings and
// for how long each may be kept.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';

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
    assert.ok(source.includes(`"${client}"`), `${script} does not load ${client}`);
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
      assert.equal(response.headers.get('cache-control'), 'no-cache');
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
