// Answers that are read slowly: who reads a few bytes at a time is closed, because what it
// does not read stays in memory, and who is slow has the whole answer.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { ATTACKER } from '../support/attack.mjs';
import { refusedFor } from '../support/metrics.mjs';
import { importedDatabase } from '../support/podium.mjs';
import { head, readInSips, statusOf } from '../support/raw.mjs';
import { podiumForTest } from '../support/suite.mjs';

const ROWS = 500;
const env = { PODIUM_BOARD__TOP: String(ROWS), PODIUM_LIMITS__ALLOW: '127.0.0.1' };
const OTHER = '127.0.0.3';
/** It is closed after a minute, once the kernel is full. */
const CLOSED_WITHIN_MS = 200_000;

/** A board whose page is larger than what the kernel holds of it. */
function largeBoard() {
  const name = (i) => `${i} `.padEnd(64, 'x');
  const users = Array.from({ length: ROWS }, (_, i) => ({ userId: randomUUID(), username: name(i) }));
  return importedDatabase(users, env);
}

describe('an answer', () => {
  it('is given up that is read a few bytes at a time, and no other', async (t) => {
    const podium = await podiumForTest(t, { env, database: await largeBoard() });
    const page = head('GET', '/', [['Host', new URL(podium.url).host], ['Connection', 'close']]);
    const read = (bytes, pauseMs, localAddress) => {
      const reader = readInSips(podium.url, page, { bytes, pauseMs, localAddress });
      t.after(reader.drop);
      return reader.closed;
    };
    const sippers = [10, 10, 10, 100, 100, 100, 500, 500, 500];
    for (const bytes of sippers) read(bytes, 1000, ATTACKER);
    // As a slow phone behind a proxy that passes on what it takes: 20 kB a second.
    const slow = [read(2000, 100, OTHER), read(20_000, 1000, OTHER)];
    const whole = (await (await fetch(podium.url)).arrayBuffer()).byteLength;

    // What the kernel holds for a reader it goes on reading, and sees the end after that.
    const end = performance.now() + CLOSED_WITHIN_MS;
    const closed = () => refusedFor(podium.url, 'slow_readers');
    while ((await closed()) < sippers.length && performance.now() < end) await sleep(100);
    assert.equal(await closed(), sippers.length);
    assert.equal(await statusOf(podium.url, 'GET', '/', [], { localAddress: ATTACKER }), 200);
    for (const { taken, wasReset } of await Promise.all(slow)) {
      assert.ok(!wasReset && taken > whole, `${taken} of ${whole} bytes, ${wasReset}`);
    }
  });
});
