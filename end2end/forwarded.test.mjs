// What proxies say of whom they forward.

import assert from 'node:assert/strict';
import { it } from 'node:test';

import { podiumForTest } from './support/suite.mjs';
import { OPENS, visit } from './support/visit.mjs';

const FORWARDED = { 'x-forwarded-for': '192.0.2.7', 'x-forwarded-proto': 'https, http' };

/** With which scheme the page begins its own address. */
async function scheme(podium, headers) {
  const page = await (await fetch(podium.url, { headers })).text();
  return /property="og:url" content="(\w+):/.exec(page)?.[1];
}

it('the first hop says with which scheme a page is asked for', async (t) => {
  const trusting = await podiumForTest(t, { env: { PODIUM_LIMITS__TRUSTED_PROXIES: '127.0.0.0/8' } });
  assert.equal(await scheme(trusting, FORWARDED), 'https');
  assert.equal(await scheme(trusting, { 'x-forwarded-proto': 'http, https' }), 'http');
});

it('nobody but a proxy says so, whether proxies are named or not', async (t) => {
  for (const proxies of ['10.0.0.1', '']) {
    const podium = await podiumForTest(t, { env: { PODIUM_LIMITS__TRUSTED_PROXIES: proxies } });
    assert.equal(await scheme(podium, FORWARDED), 'http');
    assert.equal(await scheme(podium, { 'x-forwarded-proto': 'https' }), 'http');
    assert.equal(await scheme(podium, { forwarded: 'proto=https', 'x-forwarded-host': 'evil.example' }), 'http');
    const { cookies } = await visit(podium, '/?lang=de', { headers: { ...OPENS, ...FORWARDED } });
    assert.match(cookies[0], /podium_lang=de/);
    assert.doesNotMatch(cookies[0], /Secure/);
  }
});

it('the public address holds, whatever is said', async (t) => {
  const podium = await podiumForTest(t, { env: { PODIUM_HTTP__PUBLIC_URL: 'https://board.example' } });
  for (const headers of [{}, FORWARDED, { 'x-forwarded-proto': 'http' }]) {
    assert.equal(await scheme(podium, headers), 'https');
  }
});

it('a proxy that is not trusted is named once, with what to set', async (t) => {
  const podium = await podiumForTest(t);
  for (let n = 0; n < 5; n += 1) await scheme(podium, FORWARDED);
  await podium.stop();
  const log = await podium.log.ended;
  const lines = podium.log.linesWith('X-Forwarded-For');
  assert.equal(lines.length, 1, log);
  assert.match(lines[0], /127\.0\.0\.1.*PODIUM_LIMITS__TRUSTED_PROXIES=127\.0\.0\.1/);
});
