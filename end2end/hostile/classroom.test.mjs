// What a classroom does that is no attack: a hundred behind one address open the board
// in the same moment, each signed in or not.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { Agent, get } from 'node:http';
import { describe, it } from 'node:test';

import { importedDatabase, token } from '../support/podium.mjs';
import { podiumForTest } from '../support/suite.mjs';

const STUDENTS = 100;
const ROWS = 1000;
const ADDRESS = '127.0.0.2';
const env = { PODIUM_BOARD__TOP: String(ROWS), PODIUM_LIMITS__ALLOW: '127.0.0.1' };

const students = Array.from({ length: ROWS }, (_, i) => ({
  userId: randomUUID(),
  username: `${i} `.padEnd(60, 'x'),
}));

async function board() {
  const scored = students.map(({ userId }, i) => ({
    ...{ actionId: `first ${i}`, userId, actionType: 'test' },
    scoreIncrease: 1 + i,
  }));
  return importedDatabase([...students, ...scored], env);
}

/** What somebody of the classroom is answered, by a connection of its own. */
function ask(podium, path, headers = {}) {
  return new Promise((resolve, reject) => {
    const options = { headers, localAddress: ADDRESS, agent: new Agent() };
    get(new URL(path, podium.url), options, (answer) => {
      const parts = [];
      const { statusCode: status } = answer;
      answer.on('data', (part) => parts.push(part)).on('error', reject);
      answer.on('end', () => resolve({ status, text: String(Buffer.concat(parts)) }));
    }).on('error', reject);
  });
}

/** How often each status was answered. */
function tally(answers) {
  const counts = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

describe('a classroom of a hundred that opens a board of a thousand rows at once', () => {
  it('gets it, each with its own row, if all are signed in', async (t) => {
    const podium = await podiumForTest(t, { env, database: await board() });
    const answers = await Promise.all(
      students.slice(0, STUDENTS).map(({ userId }) =>
        ask(podium, '/', { cookie: `podium_token=${token({ user: userId })}` }),
      ),
    );
    assert.deepEqual(tally(answers), { 200: STUDENTS });
    answers.forEach(({ text }, i) => {
      const [, json] = /<script[^>]* id="snapshot"[^>]*>(.*?)<\/script>/.exec(text);
      assert.equal(JSON.parse(json).you.userId, students[i].userId);
    });
  });

  it('gets it with all its files, as browsers ask for them', async (t) => {
    const podium = await podiumForTest(t, { env, database: await board() });
    const { text } = await ask(podium, '/');
    const files = [...new Set(text.match(/(?<=")\/(pkg|favicon)[^"]*(?=")/g))].slice(0, 4);
    const paths = ['/', ...files, '/manifest.webmanifest', '/api/v1/leaderboard', '/page/token'];
    const answers = await Promise.all(
      Array.from({ length: STUDENTS }, (_, i) =>
        // Some of all paths, and each of them by connections of its own.
        paths.map((path) => ask(podium, path, { 'accept-encoding': i % 2 ? 'gzip' : 'identity' })),
      ).flat(),
    );
    assert.deepEqual(tally(answers), { 200: STUDENTS * paths.length });
  });
});
