// What costs the server much, asked for by one address without end, and what others
// get meanwhile.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { Agent, request as ask } from 'node:http';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { act, importedDatabase, newUser, publisherToken, putUser, request } from './support/podium.mjs';
import { podiumForTest } from './support/suite.mjs';

/** The limits per address hold, and each address of this machine is another client. */
const STRICT = { PODIUM_LIMITS__ALLOW: '' };
const HOSTILE = '127.0.0.1';
const HONEST = '127.0.0.2';

/** Asks from an address of this machine. */
function get(podium, path, { from = HONEST, agent, headers } = {}) {
  return new Promise((resolve, reject) => {
    const options = { localAddress: from, agent, headers };
    const asked = ask(new URL(path, podium.url), options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part) => (text += part));
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text }));
    });
    asked.on('error', reject).end();
  });
}

/** More than all that the honest one asks for may be refused where turns go round. */
const MOST_REFUSALS = 10;

/**
 * Asks from the honest address, which has its turn. A machine may be so slow that nobody
 * has a turn in time: that is no refusal for good, and it asks again when it is told to.
 */
function patiently(podium) {
  const ask = async (path, options) => {
    for (;;) {
      const answer = await get(podium, path, options);
      if (answer.status !== 503) return answer;
      ask.refusals += 1;
      assert.ok(ask.refusals <= MOST_REFUSALS, `${path} was refused: ${answer.text.slice(0, 300)}`);
      await sleep(1_000 * Number(answer.headers['retry-after']));
    }
  };
  ask.refusals = 0;
  return ask;
}

/**
 * What `honest` does, which is called with a way to ask and the answers so far, while so
 * many ask without end from the hostile address, each time for `{path, headers}` of the asker
 * and the number.
 *
 * @returns {Promise<Map<number | string, {count: number, response: object}>>} by status, how
 *   many answers there were, and the first of them
 */
async function during({ podium, askers, asked }, honest) {
  const agent = new Agent({ keepAlive: true, maxSockets: askers });
  const answers = new Map();
  let answered = 0;
  let goesOn = true;
  const floods = Array.from({ length: askers }, async (_, asker) => {
    for (let n = 0; goesOn; n++) {
      const { path, headers } = asked(asker, n);
      // So many connections of one address may be too many already.
      const refused = () => ({ status: 'refused' });
      const response = await get(podium, path, { from: HOSTILE, agent, headers }).catch(refused);
      const { status } = response;
      if (!answers.has(status)) answers.set(status, { count: 0, response });
      answers.get(status).count += 1;
      answered += 1;
    }
  });
  try {
    while (answered < 20) await get(podium, '/healthz');
    await honest(patiently(podium), answers);
  } finally {
    goesOn = false;
    await Promise.all(floods);
    agent.destroy();
  }
  return answers;
}

/** Too much of this address, and too much in all. */
const REFUSED = [429, 503];

/** Waits until the hostile one was refused in both ways. */
async function refusedBoth(answers) {
  while (!REFUSED.every((status) => answers.has(status))) await sleep(20);
}

const countRefused = (answers) => REFUSED.reduce((sum, status) => sum + (answers.get(status)?.count ?? 0), 0);

/** How many refusals are counted of a kind. */
async function refusals(podium, reason) {
  const { text } = await get(podium, '/metrics');
  return Number(text.match(new RegExp(`^podium_refused_total\\{reason="${reason}"\\} (\\d+)$`, 'm'))[1]);
}

/** As text: one letter for each of the lowest digits. */
const letters = (n) => String(n).replace(/./g, (digit) => 'abcdefghij'[digit]);

describe('searches', { concurrency: false }, () => {
  it('of one address leave room for those of others', async (t) => {
    const lines = Array.from({ length: 60_000 }, (_, n) => ({
      userId: randomUUID(),
      username: `${letters(n)} Zoë ${n}`,
    }));
    const database = await importedDatabase(lines);
    const podium = await podiumForTest(t, { env: STRICT, database });
    // Each another one, of many words that each name has, and one that few have.
    const asked = (asker, n) => {
      const text = `${'z '.repeat(45)}${letters(asker * 1000 + n)}`;
      return { path: `/api/v1/users?q=${encodeURIComponent(text)}` };
    };
    await during({ podium, askers: 220, asked }, async (ask) => {
      for (let n = 0; n < 7; n++) {
        const { status, text } = await ask(`/api/v1/users?q=zoe%20${n + 1}&limit=3`);
        assert.equal(status, 200, text);
        assert.equal(JSON.parse(text).users.length, 3);
      }
    });
  });
});

describe('histories', { concurrency: false }, () => {
  it('of one address leave room for those of others, and for the race', async (t) => {
    const [busy, quiet] = [randomUUID(), randomUUID()];
    const actions = Array.from({ length: 60_000 }, () => ({ userId: busy, scoreIncrease: 1 }));
    const database = await importedDatabase([
      { userId: busy, username: 'Busy' },
      { userId: quiet, username: 'Quiet' },
      ...actions.map((action, n) => ({ ...action, actionId: `a${n}`, actionType: 'test' })),
    ]);
    const podium = await podiumForTest(t, { env: { ...STRICT, NO_COLOR: '1' }, database });
    await act(podium.url, { userId: quiet, scoreIncrease: 7 });

    // Each another one.
    const asked = (asker, n) => {
      return { path: `/api/v1/users/${busy}/history?points=${1 + ((asker * 7 + n) % 1000)}` };
    };
    const answers = await during({ podium, askers: 400, asked }, async (ask, answers) => {
      for (let n = 0; n < 5; n++) {
        const { status, text } = await ask(`/api/v1/users/${quiet}/history?points=${n + 1}`);
        assert.equal(status, 200, text);
        assert.equal(JSON.parse(text).actions, 1);
      }
      // The page of a player, also where the address may not ask for more.
      for (const from of [HONEST, HOSTILE]) {
        const player = await ask(`/players/${quiet}`, { from });
        assert.equal(player.status, 200);
        assert.ok(player.text.includes('Quiet'));
      }
      const page = await ask('/');
      assert.equal(page.status, 200);
      assert.ok(page.text.includes('Quiet'));
      await refusedBoth(answers);
    });

    // Who asked for too much is told so, counted, and logged once.
    for (const status of REFUSED) {
      const { response } = answers.get(status);
      assert.equal(response.headers['retry-after'], '1');
      assert.match(response.headers['content-type'], /^application\/problem\+json/);
      assert.equal(JSON.parse(response.text).status, status);
    }
    const refused = await refusals(podium, 'history');
    assert.ok(refused >= countRefused(answers), `${refused} of ${countRefused(answers)}`);
    await podium.stop();
    const log = await podium.log.ended;
    const lines = podium.log.linesWith('reason=history');
    assert.equal(lines.length, 1, log);
    assert.match(lines[0], new RegExp(`address=${HOSTILE} allowed_by="limits.concurrent_histories"`));
    assert.doesNotMatch(log, /ERROR/);
  });
});

describe('a page', { concurrency: false }, () => {
  const seqOf = (html) => Number(html.match(/share\.png\?seq=(\d+)/)[1]);

  it('is rendered once for each tick, however much happens', async (t) => {
    const podium = await podiumForTest(t, { env: { ...STRICT, PODIUM_BOARD__TOP: '50' } });
    const users = await Promise.all(Array.from({ length: 50 }, (_, n) => newUser(podium, `User ${n}`)));
    let goesOn = true;
    const acting = (async () => {
      for (let n = 0; goesOn; n++) {
        await act(podium.url, { userId: users[n % 50], scoreIncrease: 1 + (n % 7) });
      }
    })();
    const seen = new Set();
    const began = performance.now();
    // As long as it takes: what is behind is seen in a test that does not end.
    while (seen.size < 40) seen.add(seqOf((await get(podium, '/')).text));
    const ticks = (performance.now() - began) / 100;
    goesOn = false;
    await acting;
    // Some at once after it was quiet, then one a tick.
    assert.ok(seen.size <= 10 + ticks + 1, `${seen.size} in ${ticks} ticks`);
  });

  it('shows nobody who was deleted, and what was written just now', async (t) => {
    const podium = await podiumForTest(t, { env: STRICT });
    const [ada, bea] = [randomUUID(), randomUUID()];
    await putUser(podium.url, ada, 'Ada');
    await putUser(podium.url, bea, 'Bea');
    const { seq } = await act(podium.url, { userId: ada, scoreIncrease: 5 });
    assert.equal(seqOf((await get(podium, '/')).text), seq);
    // Until more has happened than is shown at once.
    for (let n = 0; n < 30; n++) {
      await act(podium.url, { userId: bea, scoreIncrease: 1 });
      await get(podium, '/');
      await get(podium, '/?q=ada');
    }
    await request(podium.url, 'DELETE', `/api/v1/users/${ada}`, { token: publisherToken() });
    assert.ok(!(await get(podium, '/')).text.includes('Ada'));
    assert.deepEqual(JSON.parse((await get(podium, '/api/v1/users?q=ada')).text).users, []);
    assert.equal((await get(podium, `/players/${ada}`)).status, 404);
  });

  it('is not kept from others by one address that asks for many', async (t) => {
    const lines = Array.from({ length: 1_000 }, (_, n) => ({ userId: randomUUID(), username: `User ${n}` }));
    const env = { ...STRICT, PODIUM_BOARD__TOP: '1000' };
    const database = await importedDatabase(lines, env);
    const podium = await podiumForTest(t, { env, database });
    // Each another one, so that nothing is shared.
    const asked = (asker, n) => ({ path: '/?lang=en', headers: { host: `h${asker}x${n}.example` } });
    let ofHonest;
    const answers = await during({ podium, askers: 400, asked }, async (ask, answers) => {
      for (let n = 0; n < 3; n++) {
        const { status, text } = await ask(`/?page=${n + 1}`);
        assert.equal(status, 200);
        assert.ok(text.includes(`User ${n * 50}<`));
      }
      await refusedBoth(answers);
      ofHonest = ask.refusals;
    });
    for (const status of REFUSED) {
      const { response } = answers.get(status);
      assert.equal(response.headers['retry-after'], '1');
      assert.ok(response.text.includes('The page cannot be shown now'));
      assert.ok(response.headers['content-security-policy'].includes("'nonce-"));
    }
    // Whoever was told so had to be refused nothing else for it.
    assert.equal(await refusals(podium, 'render'), countRefused(answers) + ofHonest);
  });
});
