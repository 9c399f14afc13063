// A process may open so many files, of which each connection takes one: an address that
// opens them all must leave some to others.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';

import { ATTACKER, underAttack } from '../support/attack.mjs';
import { head, openRaw, statusOf } from '../support/raw.mjs';
import { podiumForTest } from '../support/suite.mjs';

const CONNECTIONS = 1100;
const AT_ONCE = 50;
const OPENING_MS = 5000;
const ASK_EVERY_MS = 4000;
const OTHERS = 13;
const OTHER = '127.0.0.3';
/** Of whatever happens to each of a thousand connections. */
const LINES = 3;

/** As many files as a process may open, by what it was started with. */
const limits = { 'at first, and more when it asks': '1024:', 'at most': '1024:1024' };

/** The limits of a process on open files, as it runs. */
function openFilesOf(pid) {
  const [, soft, hard] = /^Max open files\s+(\d+)\s+(\d+)/m.exec(
    readFileSync(`/proc/${pid}/limits`, 'utf8'),
  );
  return { soft, hard };
}

describe('a server with 1,024 open files', () => {
  for (const [name, openFiles] of Object.entries(limits)) {
    it(`${name}, serves others while one address takes them all`, (t) =>
      underAttack(t, { openFiles }, async ({ podium, problem }) => {
        const request = head('GET', '/healthz', [['Host', 'x']]);
        const connections = [];
        const connectAndAsk = async () => {
          const end = performance.now() + OPENING_MS;
          while (connections.length < CONNECTIONS && performance.now() < end) {
            const from = { localAddress: ATTACKER, patience: OPENING_MS };
            const connection = await openRaw(podium.url, from);
            connections.push(connection);
            connection.write(request);
          }
        };
        // Who is silent for longer is closed.
        const askAgain = () => connections.forEach((connection) => connection.write(request));
        const asking = setInterval(askAgain, ASK_EVERY_MS);
        t.after(() => clearInterval(asking));
        // Some may find no server that accepts them.
        await Promise.allSettled(Array.from({ length: AT_ONCE }, connectAndAsk));

        const ask = () =>
          statusOf(podium.url, 'GET', '/healthz', [], { localAddress: OTHER }).catch(() => 'nothing');
        const statuses = await Promise.all(Array.from({ length: OTHERS }, ask));
        const refused = statuses.filter((status) => status !== 200).length;
        if (refused > 0) problem(`${refused} of ${OTHERS} others were refused`);
        const lines = podium.log.text.split('\n').filter((line) => line !== '');
        if (lines.length > LINES) problem(`${lines.length} lines were logged, such as ${lines[0]}`);
        clearInterval(asking);
        for (const connection of connections) connection.drop();
      }));
  }

  it('takes as many as it is allowed to', async (t) => {
    const podium = await podiumForTest(t, { openFiles: '1024:' });
    const { soft, hard } = openFilesOf(podium.process.pid);
    assert.equal(soft, hard);
  });
});
