// The files of the page: whatever name is asked for, and however slowly one is read.

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { describe, it } from 'node:test';

import { ATTACKER, underAttack } from '../support/attack.mjs';
import { head, openRaw, statusOf } from '../support/raw.mjs';
import { podiumForSuite } from '../support/suite.mjs';

describe('files that are read slowly', () => {
  const CONNECTIONS = 300;
  /** Beside the connections: of others, and of the store. */
  const FEW = 20;
  const openFiles = (podium) => readdirSync(`/proc/${podium.process.pid}/fd`).length;

  it('open nothing beside the connection', (t) =>
    underAttack(t, {}, async ({ podium, problem }) => {
      const html = await (await fetch(podium.url)).text();
      const [program] = /\/pkg\/[^"]+\.wasm/.exec(html);
      const before = openFiles(podium);
      // Each asks as soon as it can: who is silent is closed.
      const download = async () => {
        const connection = await openRaw(podium.url, { localAddress: ATTACKER });
        connection.write(head('GET', program, [['Host', 'x']]));
        await connection.readUntil('200 OK');
        connection.stopReading();
        return connection;
      };
      const connections = await Promise.all(Array.from({ length: CONNECTIONS }, download));
      const more = openFiles(podium) - before;
      if (more > CONNECTIONS + FEW) problem(`${more} files were open for ${CONNECTIONS} downloads`);
      for (const connection of connections) connection.drop();
    }));
});

describe('names of files', () => {
  const podium = podiumForSuite();
  const ask = (method, path, headers) => statusOf(podium.url, method, path, headers);
  const LONG = 'x'.repeat(300);

  it('that are none lead nowhere', async () => {
    for (const path of [
      '/%00', '/favicon.svg%00', '/pkg/%00/a', `/${LONG}`, `/pkg/${LONG}`, `/${LONG}/${LONG}`,
      `${'/deep'.repeat(3000)}`, '/..', '/../Cargo.toml', '/%2e%2e/Cargo.toml', '/pkg/..%2f..%2fa',
      '/..%5cCargo.toml', '/\\..\\Cargo.toml', '/pkg', '/pkg/', '/favicon.svg/', '/favicon.svg/a',
      '/%ff', '/%', '/%zz', '/.%00./', '/con', '/%F0%9F%8F%86',
    ]) {
      assert.equal(await ask('GET', path), 404, path.slice(0, 40));
      assert.equal(await ask('HEAD', path), 404, path.slice(0, 40));
    }
  });

  it('are asked for by GET and HEAD alone', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'TRACE', 'NONSENSE']) {
      assert.equal(await ask(method, '/favicon.svg'), 405, method);
      assert.equal(await ask(method, '/%00'), 405, method);
    }
    assert.equal(await ask('HEAD', '/favicon.svg'), 200);
  });

  it('come as a whole, in part, or not if they are known', async () => {
    const get = (headers) =>
      fetch(new URL('/favicon.svg', podium.url), {
        headers: { 'accept-encoding': 'identity', ...headers },
      });
    const whole = await get({});
    const text = await whole.text();
    assert.equal(Number(whole.headers.get('content-length')), text.length);
    assert.equal(whole.headers.get('accept-ranges'), 'bytes');
    const part = await get({ range: 'bytes=2-5' });
    assert.equal(part.status, 206);
    assert.equal(part.headers.get('content-range'), `bytes 2-5/${text.length}`);
    assert.equal(await part.text(), text.slice(2, 6));
    assert.equal((await get({ range: `bytes=${text.length}-` })).status, 416);
    const since = whole.headers.get('last-modified');
    const known = await get({ 'if-modified-since': since });
    assert.deepEqual([known.status, await known.text()], [304, '']);
    const old = await get({ 'if-unmodified-since': 'Mon, 01 Jan 2001 00:00:00 GMT' });
    assert.equal(old.status, 412);
  });
});
