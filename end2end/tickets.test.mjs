// Nobody raises a score who may not: tickets, and types whose points and limits
// are the server's.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

import {
  expectActionAnswer,
  expectProblem,
  expectProblemDetails,
  expectRefusal,
} from './support/expect.mjs';
import {
  act,
  action,
  leaderboard,
  newUser,
  postActions,
  publisherToken,
  putUser,
  request,
  startPodium,
  ticket,
  token,
} from './support/podium.mjs';
import { ask, connect, connectError } from './support/socket.mjs';
import { podiumForSuite, podiumForTest } from './support/suite.mjs';

const ACTIONS = '/api/v1/actions';
const OTHER_SECRET = 'another-secret-of-tests-Zt5nWq8xRk3vLm7cYp2sHd9b';

const now = () => Math.floor(Date.now() / 1000);

/** Hands in a ticket with a token; resolves to the response whatever it says. */
function handIn(podium, bearer, ticket) {
  return request(podium.url, 'POST', ACTIONS, { token: bearer, body: { ticket } });
}

async function scoreOf(podium, userId) {
  return (await request(podium.url, 'GET', `/api/v1/users/${userId}`)).body.score;
}

/** Asserts that the request is refused with this status and changes nothing. */
async function expectRefused(podium, send, status) {
  const before = await leaderboard(podium.url);
  const response = await send();
  expectProblem(response, status);
  assert.deepEqual(await leaderboard(podium.url), before);
  return response.body;
}

/** Asserts that a limit has been reached; resolves to how long it holds. */
function expectLimit(response, detail) {
  expectProblem(response, 429);
  assert.equal(response.body.detail, detail);
  const seconds = Number(response.retryAfter);
  assert.ok(Number.isSafeInteger(seconds) && seconds >= 1, response.retryAfter);
  return seconds;
}

/** A ticket with other claims, under the signature of the first. */
function changed(ticket, changes) {
  const [header, payload, signature] = ticket.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url'));
  const content = Buffer.from(JSON.stringify({ ...claims, ...changes }));
  return [header, content.toString('base64url'), signature].join('.');
}

/** A ticket that says it is signed in another way. */
function withHeader(ticket, header) {
  const [, ...rest] = ticket.split('.');
  return [Buffer.from(JSON.stringify(header)).toString('base64url'), ...rest].join('.');
}

describe('a ticket', () => {
  const podium = podiumForSuite();
  const userId = randomUUID();
  const other = randomUUID();
  const player = token({ user: userId });
  before(async () => {
    await putUser(podium.url, userId, 'Ada');
    await putUser(podium.url, other, 'Grace');
  });

  /** A good ticket but for these options. */
  const good = (options = {}) => ticket({ user: userId, scoreIncrease: 10, ...options });

  it('counts what was signed for whom it was signed', async () => {
    const user = await newUser(podium);
    const bearer = token({ user });
    const first = await handIn(podium, bearer, ticket({ user, scoreIncrease: 10 }));
    assert.equal(first.status, 200);
    expectActionAnswer(first.body);
    assert.deepEqual([first.body.score, first.body.duplicate], [10, false]);

    const second = await handIn(podium, bearer, ticket({ user, scoreIncrease: -3 }));
    assert.deepEqual([second.body.score, second.body.duplicate], [7, false]);
    assert.equal(await scoreOf(podium, user), 7);
  });

  it('counts on the board that it names', async () => {
    const user = await newUser(podium);
    const bearer = token({ user });
    const admin = token({ user: randomUUID(), role: 'admin' });
    const settings = { token: admin, body: { tiebreak: { direction: 'lowest' } } };
    await request(podium.url, 'PUT', '/api/v1/boards/cup', settings);
    const claims = { board: 'cup', tiebreakIncrease: 3 };
    const { status } = await handIn(podium, bearer, ticket({ user, scoreIncrease: 4, claims }));
    assert.equal(status, 200);
    const onCup = await request(podium.url, 'GET', '/api/v1/boards/cup/leaderboard');
    const [{ score, tiebreak }] = onCup.body.topScores;
    assert.deepEqual([score, tiebreak], [4, 3]);
    assert.equal(await scoreOf(podium, user), 0);
    for (const [board, refused] of [['nowhere', 404], ['No', 422], [5, 403]]) {
      const wrong = ticket({ user, scoreIncrease: 4, claims: { board } });
      expectProblem(await handIn(podium, bearer, wrong), refused);
    }
    // What main has no second score for is not lost without a word.
    const lost = ticket({ user, scoreIncrease: 4, claims: { tiebreakIncrease: 3 } });
    const refused = await handIn(podium, bearer, lost);
    expectProblem(refused, 400);
    assert.match(refused.body.detail, /^tiebreakIncrease: the board main has no second score/);
    assert.equal(await scoreOf(podium, user), 0);
  });

  it('is good from its `nbf` to its `exp`, a day at most', async () => {
    const user = await newUser(podium);
    const times = [{ nbf: now() }, { nbf: now() - 0.5 }, { exp: now() + 30.5 }];
    for (const claims of [...times, { exp: now() + 24 * 3600 - 60 }]) {
      const good = ticket({ user, scoreIncrease: 1, claims });
      const { status } = await handIn(podium, token({ user }), good);
      assert.equal(status, 200, JSON.stringify(claims));
    }
  });

  it('may be handed in by whoever it is for, whatever else they are', async () => {
    const user = await newUser(podium);
    for (const role of ['player', 'publisher', 'admin']) {
      const bearer = token({ user, role });
      const { status } = await handIn(podium, bearer, ticket({ user, scoreIncrease: 1 }));
      assert.equal(status, 200, role);
    }
    assert.equal(await scoreOf(podium, user), 3);
  });

  describe('is refused when it is forged:', () => {
    const forged = {
      'signed with another key': () => good({ secret: OTHER_SECRET }),
      'signed in another way': () => good({ algorithm: 'HS512' }),
      'not signed': () => good({ algorithm: 'none' }),
      'said to need no signature': () => withHeader(good(), { alg: 'none' }),
      'said to be signed in no way': () => withHeader(good(), {}),
      'without its signature': () => good().replace(/[^.]*$/, ''),
      'with the signature of another': () => good().replace(/[^.]*$/, good().split('.')[2]),
      'no JWT': () => 'ticket',
      empty: () => '',
    };
    for (const [what, forge] of Object.entries(forged)) {
      it(what, async () => {
        const problem = await expectRefused(podium, () => handIn(podium, player, forge()), 403);
        assert.equal(problem.title, 'Ticket refused');
        assert.match(problem.detail, /signed with HS256/);
      });
    }
  });

  describe('is refused when this was changed after it was signed:', () => {
    const changes = {
      sub: other,
      jti: randomUUID(),
      actionType: 'other',
      scoreIncrease: 1_000_000,
      exp: now() + 3600,
      nbf: 0,
      role: 'admin',
    };
    for (const [claim, value] of Object.entries(changes)) {
      it(`\`${claim}\``, async () => {
        const forged = changed(good(), { [claim]: value });
        const bearer = claim === 'sub' ? token({ user: other }) : player;
        const problem = await expectRefused(podium, () => handIn(podium, bearer, forged), 403);
        assert.equal(problem.title, 'Ticket refused');
      });
    }
  });

  describe('is refused with the reason when it', () => {
    const wrong = {
      'has no `sub`': [{ sub: undefined }, /no claim `sub`/],
      'has no `jti`': [{ jti: undefined }, /no claim `jti`/],
      'has no `actionType`': [{ actionType: undefined }, /no claim `actionType`/],
      'has no `exp`': [{ exp: undefined }, /no claim `exp`/],
      'has a `sub` that is no UUID': [{ sub: 'ada' }, /UUID/],
      'has a `jti` that is a number': [{ jti: 1 }, /wrong form/],
      'has an `exp` that is a string': [{ exp: String(now() + 60) }, /wrong form/],
      'has a `nbf` that is a string': [{ nbf: 'now' }, /wrong form/],
      'has expired': [{ exp: now() - 7 }, /expired/],
      'expired long ago': [{ exp: 0 }, /expired/],
      'is not valid yet': [{ nbf: now() + 3600 }, /`nbf` is in the future/],
      'lives for more than a day': [{ exp: now() + 25 * 3600 }, /at most 1day/],
      'lives for ever': [{ exp: 1e300 }, /at most 1day/],
    };
    for (const [what, [claims, reason]] of Object.entries(wrong)) {
      it(what, async () => {
        const send = () => handIn(podium, player, good({ claims }));
        const problem = await expectRefused(podium, send, 403);
        assert.equal(problem.title, 'Ticket refused');
        assert.match(problem.detail, reason);
      });
    }

    const invalid = {
      'has an empty `jti`': { jti: '' },
      'has a `jti` of 129 bytes': { jti: 'x'.repeat(129) },
      'has an empty `actionType`': { actionType: '' },
      'has points beyond the range': { scoreIncrease: 2 ** 53 },
      'has points that are a string': { scoreIncrease: '10' },
      'has points that are a fraction': { scoreIncrease: 1.5 },
      'has no points, and its type has none': { scoreIncrease: undefined },
    };
    for (const [what, claims] of Object.entries(invalid)) {
      it(what, async () => {
        await expectRefused(podium, () => handIn(podium, player, good({ claims })), 422);
      });
    }
  });

  it('is refused when its user is not registered', async () => {
    const user = randomUUID();
    const send = () => handIn(podium, token({ user }), ticket({ user, scoreIncrease: 1 }));
    await expectRefused(podium, send, 404);
  });

  describe('is refused when it is handed in with', () => {
    const bearers = {
      'no token': [undefined, 401],
      garbage: ['garbage', 401],
      'a token that has expired': [token({ user: userId, ttlSeconds: -7 }), 401],
      'a token that is not signed': [token({ user: userId, algorithm: 'none' }), 401],
      "a viewer's token": [token({ user: userId, role: 'viewer' }), 403],
      "another player's token": [token({ user: other }), 403],
      "a publisher's token": [publisherToken(), 403],
      "an admin's token": [token({ user: randomUUID(), role: 'admin' }), 403],
      itself: [good(), 401],
    };
    for (const [what, [bearer, status]] of Object.entries(bearers)) {
      it(what, async () => {
        const shared = what === 'itself' ? bearer : good();
        await expectRefused(podium, () => handIn(podium, bearer, shared), status);
        if (what !== 'itself') {
          // Whoever it is for can still use it.
          assert.equal((await handIn(podium, player, shared)).body.duplicate, false);
        }
      });
    }
  });

  describe('is refused as a token', () => {
    const asToken = {
      'as it is': good({ ttlSeconds: 3600 }),
      'that makes its user a publisher': good({ claims: { role: 'publisher' } }),
      'without points': good({ scoreIncrease: undefined, claims: { role: 'admin' } }),
      'without a type': good({ actionType: undefined, claims: { role: 'admin' } }),
    };
    for (const [what, bearer] of Object.entries(asToken)) {
      it(what, async () => {
        const body = action({ userId, scoreIncrease: 1 });
        const send = () => request(podium.url, 'POST', ACTIONS, { token: bearer, body });
        await expectRefused(podium, send, 401);
        const put = () =>
          request(podium.url, 'PUT', `/api/v1/users/${userId}`, {
            token: bearer,
            body: { username: 'Mallory' },
          });
        await expectRefused(podium, put, 401);
        assert.equal(await connectError(podium.url, { token: bearer }), 'Authentication failed');
      });
    }

    it('to renew another', async () => {
      const socket = await connect(podium.url, { token: player });
      const renewal = { token: good({ ttlSeconds: 7200 }) };
      expectRefusal(await ask(socket, 'refresh_token', renewal), 'Authentication failed');
    });
  });

  it('is not what a token is', async () => {
    const tokens = [
      player,
      token({ user: userId, role: 'publisher' }),
      token({ user: userId, claims: { jti: randomUUID() } }),
    ];
    for (const bearer of tokens) {
      const send = () => handIn(podium, player, bearer);
      const problem = await expectRefused(podium, send, 403);
      assert.match(problem.detail, /no claim/);
    }
  });

  describe('handed in again', () => {
    it('gets the first answer, and counts once', async () => {
      const user = await newUser(podium);
      const mine = ticket({ user, scoreIncrease: 10 });
      const first = await handIn(podium, token({ user }), mine);
      await act(podium.url, { userId: user, scoreIncrease: 5 });
      const again = await handIn(podium, token({ user }), mine);
      assert.equal(again.status, 200);
      assert.deepEqual(again.body, { ...first.body, duplicate: true });
      assert.equal(await scoreOf(podium, user), 15);
    });

    it('many times at once counts once', async () => {
      const user = await newUser(podium);
      const mine = ticket({ user, scoreIncrease: 10 });
      const all = Array.from({ length: 20 }, () => handIn(podium, token({ user }), mine));
      const answers = (await Promise.all(all)).map(({ body }) => body);
      assert.equal(answers.filter(({ duplicate }) => duplicate === false).length, 1);
      assert.equal(await scoreOf(podium, user), 10);
    });

    it('as a new ticket for the same action counts once', async () => {
      const user = await newUser(podium);
      const parts = { user, actionId: randomUUID(), scoreIncrease: 10 };
      const first = await handIn(podium, token({ user }), ticket({ ...parts, ttlSeconds: 30 }));
      const again = await handIn(podium, token({ user }), ticket({ ...parts, ttlSeconds: 60 }));
      assert.deepEqual(again.body, { ...first.body, duplicate: true });
    });

    it('is the action that a publisher sent under its id', async () => {
      const body = action({ userId, scoreIncrease: 10 });
      const sent = (await postActions(podium, body)).body;
      const same = await handIn(podium, player, good({ actionId: body.actionId }));
      assert.deepEqual(same.body, { ...sent, duplicate: true });
    });

    const changes = {
      'other points': { scoreIncrease: 11 },
      'another type': { actionType: 'other' },
      'another user': { user: other },
    };
    for (const [what, change] of Object.entries(changes)) {
      it(`is refused under the id of an action of ${what}`, async () => {
        const actionId = randomUUID();
        assert.equal((await handIn(podium, player, good({ actionId }))).status, 200);
        const bearer = token({ user: change.user ?? userId });
        const send = () => handIn(podium, bearer, good({ actionId, ...change }));
        await expectRefused(podium, send, 409);
      });
    }
  });

  describe('is refused in a body', () => {
    const bodies = {
      'where it is a number': { ticket: 42 },
      'where it is null': { ticket: null },
      'where it is an object': { ticket: {} },
      'where it is a list': { ticket: [good()] },
      'with another field': { ticket: good(), note: 'hello' },
      'that is an action too': { ticket: good(), ...action({ userId, scoreIncrease: 1 }) },
    };
    for (const [what, body] of Object.entries(bodies)) {
      it(what, async () => {
        for (const bearer of [player, publisherToken()]) {
          const send = () => request(podium.url, 'POST', ACTIONS, { token: bearer, body });
          await expectRefused(podium, send, 422);
        }
      });
    }

    it('with others', async () => {
      const body = [{ ticket: good() }, { ticket: good() }];
      const send = () => request(podium.url, 'POST', ACTIONS, { token: player, body });
      await expectRefused(podium, send, 403);
      await expectRefused(podium, () => postActions(podium, body), 422);
    });
  });

  it('is all that a player may send', async () => {
    const mine = action({ userId, scoreIncrease: 1 });
    for (const body of [mine, [mine], {}, [], null, 'ticket']) {
      const send = () => request(podium.url, 'POST', ACTIONS, { token: player, body });
      await expectRefused(podium, send, 403);
    }
    const text = '{"ticket":';
    const send = () => request(podium.url, 'POST', ACTIONS, { token: player, text });
    await expectRefused(podium, send, 403);
  });
});

describe('the key of tickets', () => {
  const folder = mkdtempSync(join(tmpdir(), 'podium-tickets-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'key');
  writeFileSync(file, `${OTHER_SECRET}\n`);

  for (const env of [{ TICKET_SECRET: OTHER_SECRET }, { TICKET_SECRET_FILE: file }]) {
    it(`is ${Object.keys(env)} alone, where that is set, and signs no tokens`, async (t) => {
      const podium = await podiumForTest(t, { env });
      const user = await newUser(podium);
      const bearer = token({ user });
      const mine = ticket({ user, scoreIncrease: 10, secret: OTHER_SECRET });
      assert.equal((await handIn(podium, bearer, mine)).status, 200);

      const byTokens = ticket({ user, scoreIncrease: 10 });
      await expectRefused(podium, () => handIn(podium, bearer, byTokens), 403);
      const admin = token({ user, role: 'admin', secret: OTHER_SECRET });
      const body = action({ userId: user, scoreIncrease: 1 });
      const send = () => request(podium.url, 'POST', ACTIONS, { token: admin, body });
      await expectRefused(podium, send, 401);
    });
  }
});

describe('the configuration', () => {
  it('says who signs tickets, for whom, and for how long', async (t) => {
    const podium = await podiumForTest(t, {
      env: {
        PODIUM_AUTH__ISSUER: 'app',
        PODIUM_AUTH__AUDIENCE: 'board',
        PODIUM_AUTH__TICKET_MAX_TTL: '5m',
      },
    });
    const ours = { iss: 'app', aud: 'board' };
    const user = randomUUID();
    const publisher = token({ user, role: 'publisher', claims: ours });
    const path = `/api/v1/users/${user}`;
    await request(podium.url, 'PUT', path, { token: publisher, body: { username: 'Ada' } });
    const bearer = token({ user, claims: ours });
    const cases = [
      [ours, 60, 200],
      [{ ...ours, aud: ['other', 'board'] }, 60, 200],
      [{ ...ours, iss: 'other' }, 60, 403],
      [{ ...ours, iss: undefined }, 60, 403],
      [{ ...ours, aud: 'other' }, 60, 403],
      [{ ...ours, aud: undefined }, 60, 403],
      [ours, 290, 200],
      [ours, 330, 403],
    ];
    for (const [claims, ttlSeconds, status] of cases) {
      const mine = ticket({ user, scoreIncrease: 1, ttlSeconds, claims });
      const response = await handIn(podium, bearer, mine);
      assert.equal(response.status, status, JSON.stringify([claims, ttlSeconds, response.body]));
    }
  });

  it('declares types in the file, and variables override them', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'podium-declared-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const path = join(folder, 'Leptos.toml');
    const whole = readFileSync(fileURLToPath(new URL('../Leptos.toml', import.meta.url)), 'utf8');
    const declared = [
      '[actions.quiz_solved]\npoints = 5\nper_day = 1',
      '[actions."Grand Prix 🏆"]\npoints = 25',
    ];
    writeFileSync(path, [whole, ...declared].join('\n'));
    const podium = await podiumForTest(t, {
      args: ['--config', path],
      env: { PODIUM_ACTIONS__QUIZ_SOLVED__POINTS: '10' },
    });
    const userId = await newUser(podium);
    assert.equal((await act(podium.url, { userId, actionType: 'quiz_solved' })).score, 10);
    assert.equal((await act(podium.url, { userId, actionType: 'Grand Prix 🏆' })).score, 35);
    const second = await postActions(podium, action({ userId, actionType: 'quiz_solved' }));
    expectLimit(second, 'quiz_solved counts at most once a day for one user');
  });
});

/** `quiz_solved` 10 points, `bug_found` 15, twice a minute; `login` 1, once a day. */
const DECLARED = {
  PODIUM_ACTIONS__QUIZ_SOLVED__POINTS: '10',
  PODIUM_ACTIONS__BUG_FOUND__POINTS: '15',
  PODIUM_ACTIONS__BUG_FOUND__PER_MINUTE: '2',
  PODIUM_ACTIONS__LOGIN__POINTS: '1',
  PODIUM_ACTIONS__LOGIN__PER_DAY: '1',
};
const TWICE = 'bug_found counts at most 2 times a minute for one user';
const ONCE = 'login counts at most once a day for one user';

describe('a declared type', () => {
  const podium = podiumForSuite({ env: DECLARED });

  it('has the points of the server, whatever is sent', async () => {
    const userId = await newUser(podium);
    let score = 0;
    for (const scoreIncrease of [undefined, null, 10, 1_000_000, -5, 2 ** 53]) {
      const body = action({ userId, actionType: 'quiz_solved', scoreIncrease });
      const response = await postActions(podium, body);
      assert.equal(response.status, 200, JSON.stringify(response.body));
      assert.equal(response.body.score, (score += 10));
    }
    const bearer = token({ user: userId });
    for (const scoreIncrease of [undefined, 1_000_000]) {
      const mine = ticket({ user: userId, actionType: 'quiz_solved', scoreIncrease });
      assert.equal((await handIn(podium, bearer, mine)).body.score, (score += 10));
    }
  });

  it('leaves other types as they are', async () => {
    const userId = await newUser(podium);
    const actionType = 'Quiz_Solved';
    assert.equal((await act(podium.url, { userId, actionType, scoreIncrease: 3 })).score, 3);
    const body = action({ userId, actionType });
    const problem = await expectRefused(podium, () => postActions(podium, body), 422);
    assert.match(problem.detail, /scoreIncrease is missing/);
  });

  it('is the same action when other points are sent under its id', async () => {
    const userId = await newUser(podium);
    const body = action({ userId, actionType: 'quiz_solved', scoreIncrease: 1 });
    const first = (await postActions(podium, body)).body;
    for (const scoreIncrease of [1, 2, undefined]) {
      const again = await postActions(podium, { ...body, scoreIncrease });
      assert.deepEqual(again.body, { ...first, duplicate: true });
    }
    const other = { ...body, actionType: 'bug_found' };
    await expectRefused(podium, () => postActions(podium, other), 409);
  });

  it('counts as often as it may, for each user', async () => {
    const [ada, grace] = [await newUser(podium, 'Ada'), await newUser(podium, 'Grace')];
    const bug = (userId) => action({ userId, actionType: 'bug_found' });
    const first = bug(ada);
    const answer = (await postActions(podium, first)).body;
    assert.equal((await postActions(podium, bug(ada))).body.score, 30);

    const third = bug(ada);
    await expectRefused(podium, () => postActions(podium, third), 429);
    assert.ok(expectLimit(await postActions(podium, third), TWICE) <= 60);
    const bearer = token({ user: ada });
    const mine = ticket({ user: ada, actionType: 'bug_found' });
    assert.ok(expectLimit(await handIn(podium, bearer, mine), TWICE) <= 60);

    // What was counted is answered again; the id that was refused is free.
    assert.deepEqual((await postActions(podium, first)).body, { ...answer, duplicate: true });
    assert.equal((await postActions(podium, { ...third, userId: grace })).body.score, 15);
    assert.equal((await act(podium.url, { userId: ada, actionType: 'quiz_solved' })).score, 40);
    assert.equal((await act(podium.url, { userId: ada, actionType: 'login' })).score, 41);
    const seconds = expectLimit(await postActions(podium, action({ userId: ada, actionType: 'login' })), ONCE);
    assert.ok(seconds > 23 * 3600 && seconds <= 24 * 3600, `${seconds} s`);
    assert.equal(await scoreOf(podium, ada), 41);
  });

  it('counts as often as it may when much arrives together', async () => {
    const userId = await newUser(podium);
    const bug = () => postActions(podium, action({ userId, actionType: 'bug_found' }));
    const responses = await Promise.all(Array.from({ length: 20 }, bug));
    assert.equal(responses.filter(({ status }) => status === 200).length, 2);
    assert.equal(responses.filter(({ status }) => status === 429).length, 18);
    assert.equal(await scoreOf(podium, userId), 30);
  });

  it('counts as often as it may within an array', async () => {
    const userId = await newUser(podium);
    const bug = () => action({ userId, actionType: 'bug_found', scoreIncrease: 500 });
    const known = bug();
    const plain = action({ userId, scoreIncrease: 1 });
    const { status, body } = await postActions(podium, [known, bug(), bug(), plain, known]);
    assert.equal(status, 207);
    const [first, second, third, fourth, again] = body;
    assert.deepEqual([first.score, second.score, fourth.score], [15, 30, 31]);
    assert.deepEqual(again, { ...first, duplicate: true });
    expectProblemDetails(third.error, 429);
    assert.equal(third.error.detail, TWICE);
    assert.ok(third.error.retryAfter >= 1 && third.error.retryAfter <= 60);
  });

  it('keeps its limits and forgets no points when the server dies', async (t) => {
    const first = await startPodium({ env: DECLARED });
    t.after(() => first.kill());
    const userId = await newUser(first);
    const bug = action({ userId, actionType: 'bug_found' });
    const quiz = action({ userId, actionType: 'quiz_solved' });
    const [counted, solved] = (await postActions(first, [bug, quiz])).body;
    await act(first.url, { userId, actionType: 'bug_found' });
    await act(first.url, { userId, actionType: 'login' });
    await first.kill();

    const second = await podiumForTest(t, {
      database: first.database,
      env: { ...DECLARED, PODIUM_ACTIONS__QUIZ_SOLVED__POINTS: '99' },
    });
    const send = (actionType) => postActions(second, action({ userId, actionType }));
    assert.ok(expectLimit(await send('bug_found'), TWICE) <= 60);
    expectLimit(await send('login'), ONCE);
    const again = await postActions(second, [bug, quiz]);
    assert.equal(again.status, 200);
    assert.deepEqual(again.body, [
      { ...counted, duplicate: true },
      { ...solved, duplicate: true },
    ]);
    assert.equal(await scoreOf(second, userId), 15 + 10 + 15 + 1);
    assert.equal((await send('quiz_solved')).body.score, 41 + 99);
  });
});

describe('where only declared types count', () => {
  const podium = podiumForSuite({
    env: { ...DECLARED, PODIUM_ACTIONS__ONLY_DECLARED: 'true' },
  });

  it('others are refused, and the reason says what to do', async () => {
    const userId = await newUser(podium);
    const other = action({ userId, scoreIncrease: 1 });
    const declared = action({ userId, actionType: 'quiz_solved' });
    const mine = ticket({ user: userId, scoreIncrease: 1 });
    const sends = [
      () => postActions(podium, other),
      () => postActions(podium, [declared, other]),
      () => handIn(podium, token({ user: userId }), mine),
    ];
    for (const send of sends) {
      const problem = await expectRefused(podium, send, 422);
      assert.match(problem.detail, /"test" is not declared.*\[actions\].*only_declared/);
    }
    assert.equal((await postActions(podium, declared)).body.score, 10);
  });
});
