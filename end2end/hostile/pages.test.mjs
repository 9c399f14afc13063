// Pages and answers of the API by the hundred: an address has them in turn with others,
// and what it does not read is bounded in bytes.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { ATTACKER, underAttack } from '../support/attack.mjs';
import { memoryFalls, rss, watchMemory } from '../support/memory.mjs';
import { refusedFor } from '../support/metrics.mjs';
import { importedDatabase } from '../support/podium.mjs';
import { head, openRaw, statusOf } from '../support/raw.mjs';
import { podiumForTest } from '../support/suite.mjs';

const ROWS = 1000;
const env = { PODIUM_BOARD__TOP: String(ROWS), PODIUM_LIMITS__ALLOW: '127.0.0.1' };
const OTHER = '127.0.0.3';
const HOST = [['Host', 'x']];

/** A board of a thousand rows, whose page is most of a megabyte. */
function largeBoard() {
  const users = Array.from({ length: ROWS }, (_, i) => ({
    userId: randomUUID(),
    username: `${i} `.padEnd(64, 'x'),
  }));
  const scored = users.map(({ userId }, i) => ({
    ...{ actionId: `first ${i}`, userId, actionType: 'test' },
    scoreIncrease: 1 + i,
  }));
  return importedDatabase([...users, ...scored], env);
}

/** So many connections of an address. */
const open = (count, localAddress) => (podium) =>
  Promise.all(Array.from({ length: count }, () => openRaw(podium.url, { localAddress })));

describe('pages that one address asks for again and again, by many connections', () => {
  const CONNECTIONS = 300;
  const PIPELINED = 32;
  const ASKED = 15;
  const openAll = open(CONNECTIONS, ATTACKER);

  for (const [name, path] of [['pages', '/'], ['players', '/players/x'], ['boards', '/api/v1/leaderboard']]) {
    it(`let others have theirs in turn: ${name}`, (t) =>
      underAttack(t, {}, async ({ podium, problem }) => {
        const connections = await openAll(podium);
        const asked = head('GET', path, HOST).repeat(PIPELINED);
        let over = false;
        const repeat = async (connection) => {
          while (!over && connection.isOpen) {
            const before = answers(connection);
            await connection.write(asked);
            const done = () => over || !connection.isOpen || answers(connection) >= before + PIPELINED;
            while (!done()) await sleep(20);
          }
        };
        const counts = new Map();
        const answers = (connection) => counts.get(connection) ?? 0;
        for (const connection of connections) countAnswers(connection, (n) => counts.set(connection, n));
        const total = () => [...counts.values()].reduce((sum, count) => sum + count, 0);
        const flood = Promise.all(connections.map(repeat));
        while (total() < CONNECTIONS) await sleep(20);

        const meanwhile = [];
        for (let i = 0; i < ASKED; i++) {
          const before = total();
          const status = await statusOf(podium.url, 'GET', '/', [], { localAddress: OTHER });
          if (status !== 200) problem(`another got ${status}`);
          meanwhile.push(total() - before);
        }
        over = true;
        await flood;
        // How many of ours were read meanwhile says more of this process than of the server:
        // benches/traffic/attacks.mjs measures what others wait for.
        t.diagnostic(`answered before another: ${meanwhile.join(', ')}`);
        for (const connection of connections) connection.drop();
      }));
  }
});

/** Says how many answers have come by a connection, whenever there are more. */
function countAnswers(connection, say) {
  let count = 0;
  connection.onData((text) => {
    count += text.split('HTTP/1.1 ').length - 1;
    say(count);
  });
}

describe('answers that nobody reads', () => {
  const CONNECTIONS = 400;
  const MB = 1024 * 1024;
  /** By the bound, and what is taken to make answers. */
  const PEAK_BYTES = (64 + 48) * MB;
  const SLACK_BYTES = 8 * MB;
  const REFUSED_WITHIN_MS = 60_000;
  const RETURNS_WITHIN_MS = 20_000;

  it('hold so many bytes of an address, and others have theirs', async (t) => {
    const database = await largeBoard();
    const podium = await podiumForTest(t, { env, database });
    const { pid } = podium.process;
    const ask = (path, localAddress) => statusOf(podium.url, 'GET', path, [], { localAddress });
    for (let i = 0; i < 20; i++) await ask('/', OTHER);
    const before = rss(pid);
    const memory = watchMemory(pid);

    const connections = await open(CONNECTIONS, ATTACKER)(podium);
    t.after(() => connections.forEach((connection) => connection.drop()));
    for (const connection of connections) connection.stopReading();
    for (const connection of connections) connection.write(head('GET', '/', HOST));
    const refused = () => refusedFor(podium.url, 'unread_answers');
    const end = performance.now() + REFUSED_WITHIN_MS;
    while (!((await refused()) > 0) && performance.now() < end) await sleep(50);
    assert.ok((await refused()) > 0, 'nothing was refused');
    assert.equal(await ask('/', OTHER), 200);
    assert.equal(await ask('/healthz', ATTACKER), 200);
    assert.equal(await ask('/favicon.svg', ATTACKER), 200);
    for (const connection of connections) connection.drop();

    memory.stop();
    const more = (memory.peak - before) / MB;
    assert.ok(more * MB < PEAK_BYTES, `memory rose by ${more.toFixed(0)} MB`);
    assert.ok(await memoryFalls(pid, before * 1.1 + SLACK_BYTES, RETURNS_WITHIN_MS), 'it is not given back');
    t.diagnostic(`memory rose by ${more.toFixed(0)} MB`);
    while ((await ask('/', ATTACKER)) !== 200) assert.ok(performance.now() < end, 'still refused');
  });
});
