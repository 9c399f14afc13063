// What others get who show a link to the board, and devices that install it.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { request as ask } from 'node:http';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { picture } from './support/picture.mjs';
import { act, putUser, request, token } from './support/podium.mjs';
import { podiumForSuite, podiumForTest } from './support/suite.mjs';

const TITLE = 'Quiz & <Night> of Teams';

/** The tags of a page's head: `content` of `meta` by name or property, and links by `rel`. */
async function tags(podium, path = '/') {
  const html = await (await fetch(new URL(path, podium.url))).text();
  return read(html);
}

function read(html) {
  const text = (value) => value.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&amp;', '&');
  const found = {};
  for (const [tag] of html.matchAll(/<(?:meta|link)\b(?:[^>"]|"[^"]*")*>/g)) {
    const attributes = Object.fromEntries(
      [...tag.matchAll(/([a-z-]+)="([^"]*)"/g)].map(([, name, value]) => [name, text(value)]),
    );
    const name = attributes.property ?? attributes.name ?? attributes.rel;
    found[name] ??= attributes.content ?? attributes.href;
  }
  return found;
}

async function player(podium, name, score) {
  const id = randomUUID();
  await putUser(podium.url, id, name);
  await act(podium.url, { userId: id, scoreIncrease: score });
  return id;
}

/** Asks as `host`, which `fetch` does not let one do. */
function getAs(podium, headers) {
  return new Promise((resolve, reject) => {
    const request = ask(podium.url, { headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part) => (text += part));
      response.on('end', () => resolve(text));
    });
    request.on('error', reject).end();
  });
}

describe('a link to the board', () => {
  const podium = podiumForSuite({ env: { PODIUM_BOARD__TITLE: TITLE } });
  const behind = podiumForSuite({ env: { PODIUM_LIMITS__TRUSTED_PROXIES: '127.0.0.1' } });

  it('says who leads, and names are text', async () => {
    const empty = await tags(podium);
    assert.equal(empty['og:description'], 'Nobody is on the board yet');
    await player(podium, '"><script>alert(1)</script>', 1234);
    await player(podium, 'Grace', 5);
    const found = await tags(podium);
    const description = '"><script>alert(1)</script> leads: 1,234 points. 2 players';
    assert.equal(found['og:title'], TITLE);
    assert.equal(found['og:type'], 'website');
    for (const name of ['og:description', 'description', 'og:image:alt']) {
      assert.equal(found[name], description, name);
    }
    assert.equal(found['og:url'], `${podium.url}/`);
    assert.equal(found.canonical, `${podium.url}/`);
    assert.equal(found['twitter:card'], 'summary_large_image');
    assert.ok(found['og:image'].startsWith(`${podium.url}/share.png?`), found['og:image']);
    assert.deepEqual([found['og:image:width'], found['og:image:height']], ['1200', '630']);
  });

  it('leads to where it was asked for, if that is an address', async () => {
    const proxied = read(await getAs(behind, { host: 'board.example', 'x-forwarded-proto': 'https' }));
    assert.equal(proxied['og:url'], 'https://board.example/');
    assert.ok(proxied['og:image'].startsWith('https://board.example/share.png?'));
    const forged = read(await getAs(podium, { host: 'evil.example"><x' }));
    assert.equal(forged['og:url'], undefined);
    assert.equal(forged['og:image'], undefined);
  });

  it('has a picture, which is sent once for each state of the board', async () => {
    const { 'og:image': address } = await tags(podium);
    const response = await picture(address);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-type'), 'image/png');
    assert.equal(response.headers.get('cache-control'), 'no-cache');
    const png = Buffer.from(await response.arrayBuffer());
    assert.equal(png.subarray(1, 4).toString(), 'PNG');
    assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [1200, 630]);

    const etag = response.headers.get('etag');
    const again = await picture(address, { headers: { 'if-none-match': etag } });
    assert.equal(again.status, 304);
    assert.equal(again.headers.get('etag'), etag);

    await player(podium, 'Alan 山田 👩‍🚀 نور', 10_000);
    // It is drawn once a second at most.
    await sleep(1_100);
    const newer = await picture(address, { headers: { 'if-none-match': etag } });
    assert.equal(newer.status, 200);
    assert.notEqual(newer.headers.get('etag'), etag);
  });

  it('has one picture for all who ask at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => picture(`${podium.url}/share.png?seq=${i}`)),
    );
    const etags = new Set(answers.map((answer) => answer.headers.get('etag')));
    assert.equal(etags.size, 1);
    assert.ok(answers.every(({ status }) => status === 200));
  });
});

it('a picture shows units that are no markup', async (t) => {
  const podium = await podiumForTest(t);
  await player(podium, 'Ada', 5);
  for (const [n, unit] of ['A&B', '<b>', '<!--'].entries()) {
    const admin = token({ user: randomUUID(), role: 'admin' });
    const path = `/api/v1/boards/board-${n}`;
    const body = { of: 'main', format: { style: 'points', unit } };
    const { status } = await request(podium.url, 'PUT', path, { token: admin, body });
    assert.equal(status, 201, unit);
    assert.equal((await picture(`${podium.url}/b/board-${n}/share.png`)).status, 200, unit);
  }
});

it('a public address is where links lead, whoever asks', async (t) => {
  const podium = await podiumForTest(t, { env: { PODIUM_HTTP__PUBLIC_URL: 'https://Board.example/' } });
  const found = await tags(podium);
  assert.equal(found.canonical, 'https://board.example/');
  assert.equal(found['og:image'], 'https://board.example/share.png?seq=0');
});

describe('a device that installs the page', () => {
  const podium = podiumForSuite({ env: { PODIUM_BOARD__TITLE: TITLE } });

  it('learns its name and its icons', async () => {
    const found = await tags(podium);
    const response = await fetch(new URL(found.manifest, podium.url));
    assert.equal(response.headers.get('content-type'), 'application/manifest+json');
    assert.equal(response.headers.get('cache-control'), 'no-cache');
    const manifest = await response.json();
    assert.equal(manifest.name, TITLE);
    assert.equal(manifest.short_name, 'Quiz &');
    assert.equal(manifest.display, 'standalone');
    assert.ok(manifest.icons.some(({ purpose }) => purpose === 'maskable'));
    for (const { src, sizes, type } of manifest.icons) {
      const icon = await fetch(new URL(src, podium.url));
      assert.equal(icon.headers.get('content-type'), type);
      const bytes = Buffer.from(await icon.arrayBuffer());
      if (type === 'image/png') {
        assert.equal(`${bytes.readUInt32BE(16)}x${bytes.readUInt32BE(20)}`, sizes);
      }
    }
    const touch = await fetch(new URL(found['apple-touch-icon'], podium.url));
    assert.equal(touch.headers.get('content-type'), 'image/png');
  });

  it('knows the colours of the page in the light and in the dark', async () => {
    const html = await (await fetch(podium.url)).text();
    const colours = [...html.matchAll(/<meta name="theme-color"[^>]*>/g)].map(([tag]) => tag);
    assert.equal(colours.length, 2);
    assert.ok(colours[0].includes('light') && colours[1].includes('dark'), colours.join());
  });
});
