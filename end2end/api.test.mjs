// The HTTP contract, against the real server.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { before, describe, it } from 'node:test';

import {
  expectActionAnswer,
  expectLeaderboard,
  expectProblem,
  expectProblemDetails,
  expectUser,
} from './support/expect.mjs';
import {
  act,
  actAll,
  action,
  leaderboard,
  newUser,
  postActions,
  publisherToken,
  putUser,
  request,
  startPodium,
  token,
} from './support/podium.mjs';
import { connect, roundTrip } from './support/socket.mjs';
import { podiumForSuite, podiumForTest } from './support/suite.mjs';

const ACTIONS = '/api/v1/actions';
const LEADERBOARD = '/api/v1/leaderboard';
const MOST = Number.MAX_SAFE_INTEGER;

/** Reads as anybody may, without a token. */
function get(podium, path) {
  return request(podium.url, 'GET', path);
}

async function scoreOf(podium, userId) {
  return (await get(podium, `/api/v1/users/${userId}`)).body.score;
}

/** Asserts that the request is refused with one of these statuses and changes nothing. */
async function expectRefused(podium, send, ...statuses) {
  const before = await leaderboard(podium.url);
  expectProblem(await send(), ...statuses);
  assert.deepEqual(await leaderboard(podium.url), before);
}

/** Everybody's place as `[userId, score, rank]`. */
async function places(podium) {
  const { topScores } = await leaderboard(podium.url, '?limit=50');
  return topScores.map(({ userId, score, rank }) => [userId, score, rank]);
}

/** What must not open a route for publishers, and the status that says so. */
function insufficientTokens(userId) {
  return {
    'no token': [undefined, 401],
    garbage: ['garbage', 401],
    'a token signed with another secret': [
      token({ user: userId, role: 'publisher', secret: 'x'.repeat(48) }),
      401,
    ],
    'an expired token': [token({ user: userId, role: 'publisher', ttlSeconds: -3600 }), 401],
    'an unsigned token': [token({ user: userId, role: 'publisher', algorithm: 'none' }), 401],
    'a token of role player': [token({ user: userId }), 403],
    'a token of role viewer': [token({ user: userId, role: 'viewer' }), 403],
  };
}

describe('POST /api/v1/actions', () => {
  const podium = podiumForSuite();

  it('answers one action with what it did', async (t) => {
    const podium = await podiumForTest(t);
    const [first, second] = [await newUser(podium), await newUser(podium)];
    const response = await postActions(podium, action({ userId: second, scoreIncrease: 10 }));
    assert.equal(response.status, 200);
    assert.match(response.contentType, /^application\/json\b/);
    expectActionAnswer(response.body);
    const { seq } = await leaderboard(podium.url);
    const expected = { seq, score: 10, rank: 1, oldRank: 2, duplicate: false };
    assert.deepEqual(response.body, expected);

    const next = await act(podium.url, { userId: first, scoreIncrease: -3 });
    assert.deepEqual(next, { seq: seq + 1, score: -3, rank: 2, oldRank: 2, duplicate: false });
  });

  it('takes an action from an admin', async () => {
    const userId = await newUser(podium);
    const admin = token({ user: randomUUID(), role: 'admin' });
    const body = action({ userId, scoreIncrease: 1 });
    const response = await request(podium.url, 'POST', ACTIONS, { token: admin, body });
    assert.equal(response.status, 200);
  });

  it('answers many actions in their order, as if sent one after the other', async (t) => {
    const podium = await podiumForTest(t);
    const [first, second] = [await newUser(podium), await newUser(podium)];
    const { seq } = await leaderboard(podium.url);
    const response = await postActions(podium, [
      action({ userId: second, scoreIncrease: 10 }),
      action({ userId: first, scoreIncrease: 15 }),
      action({ userId: second, scoreIncrease: 10 }),
    ]);
    assert.equal(response.status, 200);
    assert.deepEqual(response.body, [
      { seq: seq + 1, score: 10, rank: 1, oldRank: 2, duplicate: false },
      { seq: seq + 2, score: 15, rank: 1, oldRank: 2, duplicate: false },
      { seq: seq + 3, score: 20, rank: 1, oldRank: 2, duplicate: false },
    ]);
  });

  it('answers an array of one with an array', async () => {
    const userId = await newUser(podium);
    const answers = await actAll(podium.url, [{ userId, scoreIncrease: 1 }]);
    assert.equal(answers.length, 1);
    expectActionAnswer(answers[0]);
  });

  it('takes scores up to the ends of the range', async () => {
    const [high, low] = [await newUser(podium), await newUser(podium)];
    assert.equal((await act(podium.url, { userId: high, scoreIncrease: MOST })).score, MOST);
    assert.equal((await act(podium.url, { userId: low, scoreIncrease: -MOST })).score, -MOST);
    assert.equal(await scoreOf(podium, high), MOST);
    assert.equal(await scoreOf(podium, low), -MOST);
  });

  it('refuses an action that would leave the range', async () => {
    for (const sign of [1, -1]) {
      const userId = await newUser(podium);
      await act(podium.url, { userId, scoreIncrease: sign * MOST });
      const beyond = action({ userId, scoreIncrease: sign });
      await expectRefused(podium, () => postActions(podium, beyond), 422);
      assert.equal(await scoreOf(podium, userId), sign * MOST);
    }
  });

  describe('with an actionId that it knows', () => {
    it('gives the first answer again, whatever has happened since', async () => {
      const [userId, other] = [await newUser(podium), await newUser(podium)];
      const body = action({ userId, scoreIncrease: 10 });
      const first = (await postActions(podium, body)).body;
      assert.equal(first.duplicate, false);
      await act(podium.url, { userId, scoreIncrease: 5 });
      await act(podium.url, { userId: other, scoreIncrease: 100 });

      const again = await postActions(podium, body);
      assert.equal(again.status, 200);
      assert.deepEqual(again.body, { ...first, duplicate: true });
      assert.equal(await scoreOf(podium, userId), 15);
    });

    it('gives the first answer again within an array', async () => {
      const userId = await newUser(podium);
      const known = action({ userId, scoreIncrease: 10 });
      const fresh = action({ userId, scoreIncrease: 1 });
      const first = (await postActions(podium, known)).body;
      const [a, b, c] = (await postActions(podium, [known, fresh, fresh])).body;
      assert.deepEqual(a, { ...first, duplicate: true });
      assert.deepEqual([b.score, b.duplicate], [11, false]);
      assert.deepEqual(c, { ...b, duplicate: true });
      assert.equal(await scoreOf(podium, userId), 11);
    });

    it('counts one of many that arrive together', async () => {
      const userId = await newUser(podium);
      const body = action({ userId, scoreIncrease: 10 });
      const responses = await Promise.all(Array.from({ length: 20 }, () => postActions(podium, body)));
      const answers = responses.map((response) => response.body);
      assert.equal(answers.filter(({ duplicate }) => !duplicate).length, 1);
      const { duplicate, ...first } = answers[0];
      for (const answer of answers) {
        assert.deepEqual({ ...answer, duplicate }, { ...first, duplicate });
      }
      assert.equal(await scoreOf(podium, userId), 10);
    });

    const changes = {
      'other points': async () => ({ scoreIncrease: 11 }),
      'another action type': async () => ({ actionType: 'other' }),
      'another user': async () => ({ userId: await newUser(podium) }),
    };
    for (const [what, change] of Object.entries(changes)) {
      it(`refuses ${what}`, async () => {
        const userId = await newUser(podium);
        const body = action({ userId, scoreIncrease: 10 });
        await postActions(podium, body);
        const changed = { ...body, ...(await change()) };
        await expectRefused(podium, () => postActions(podium, changed), 409);
      });
    }
  });

  describe('refuses', () => {
    const userId = randomUUID();
    before(() => putUser(podium.url, userId, 'Ada'));

    for (const [what, [insufficient, status]] of Object.entries(insufficientTokens(userId))) {
      it(`${what} with ${status}`, async () => {
        const body = action({ userId, scoreIncrease: 1 });
        const send = () =>
          request(podium.url, 'POST', ACTIONS, { token: insufficient, body });
        await expectRefused(podium, send, status);
      });
    }

    for (const text of ['', '{', '{"actionId":', 'scoreIncrease=1']) {
      it(`malformed JSON: ${JSON.stringify(text)}`, async () => {
        const send = () =>
          request(podium.url, 'POST', ACTIONS, { token: publisherToken(), text });
        await expectRefused(podium, send, 400);
      });
    }

    for (const body of [null, 42, 'an action', {}]) {
      it(`JSON that is no action: ${JSON.stringify(body)}`, async () => {
        await expectRefused(podium, () => postActions(podium, body), 400, 422);
      });
    }

    const wrong = {
      'without an actionId': { actionId: undefined },
      'whose actionId is a number': { actionId: 42 },
      'without a userId': { userId: undefined },
      'whose userId is a number': { userId: 42 },
      'whose userId is not a UUID': { userId: 'ada' },
      'without an actionType': { actionType: undefined },
      'whose actionType is a number': { actionType: 42 },
      'without a scoreIncrease': { scoreIncrease: undefined },
      'whose scoreIncrease is null': { scoreIncrease: null },
      'whose scoreIncrease is a string': { scoreIncrease: '1' },
      'whose scoreIncrease is a fraction': { scoreIncrease: 1.5 },
      'whose scoreIncrease is 2^53': { scoreIncrease: MOST + 1 },
      'whose scoreIncrease is -2^53': { scoreIncrease: -MOST - 1 },
      'whose scoreIncrease is beyond 64 bits': { scoreIncrease: 1e300 },
    };
    for (const [what, change] of Object.entries(wrong)) {
      it(`an action ${what}`, async () => {
        const body = { ...action({ userId, scoreIncrease: 1 }), ...change };
        await expectRefused(podium, () => postActions(podium, body), 400, 422);
      });
    }

    const unreadable = {
      'has a fraction of a point': (readable) => ({ ...readable, scoreIncrease: 1.5 }),
      'is a list of values without names': (readable) => Object.values(readable),
    };
    for (const [what, spoil] of Object.entries(unreadable)) {
      it(`an array, all of it, of which one action ${what}`, async () => {
        const body = [
          action({ userId, scoreIncrease: 1 }),
          spoil(action({ userId, scoreIncrease: 1 })),
        ];
        await expectRefused(podium, () => postActions(podium, body), 400, 422);
      });
    }

    it('an action of a user whom it does not know', async () => {
      const body = action({ userId: randomUUID(), scoreIncrease: 1 });
      await expectRefused(podium, () => postActions(podium, body), 404);
    });

    it('more than 1,000 actions in one request, all of them', async () => {
      const body = Array.from({ length: 1001 }, () => action({ userId, scoreIncrease: 1 }));
      await expectRefused(podium, () => postActions(podium, body), 413, 422);
    });
  });

  it('takes 1,000 actions in one request', async () => {
    const userId = await newUser(podium);
    const actions = Array.from({ length: 1000 }, () => ({ userId, scoreIncrease: 1 }));
    const answers = await actAll(podium.url, actions);
    assert.deepEqual(
      answers.map(({ score }) => score),
      actions.map((_, i) => i + 1),
    );
    assert.equal(await scoreOf(podium, userId), 1000);
  });

  it('says for each action of an array why it is refused, and applies the others', async () => {
    const userId = await newUser(podium);
    const known = action({ userId, scoreIncrease: 1 });
    await postActions(podium, known);
    const response = await postActions(podium, [
      action({ userId, scoreIncrease: 10 }),
      action({ userId: randomUUID(), scoreIncrease: 10 }),
      action({ userId, scoreIncrease: MOST }),
      { ...known, scoreIncrease: 2 },
      action({ userId, scoreIncrease: 100 }),
    ]);
    assert.equal(response.status, 207);
    const [applied, unknown, beyond, conflict, last] = response.body;
    assert.equal(response.body.length, 5);
    expectActionAnswer(applied);
    expectProblemDetails(unknown.error, 404);
    expectProblemDetails(beyond.error, 422);
    expectProblemDetails(conflict.error, 409);
    expectActionAnswer(last);
    assert.deepEqual([applied.score, last.score], [11, 111]);
    assert.equal(last.seq, applied.seq + 1);
    assert.equal(await scoreOf(podium, userId), 111);
  });
});

describe('PUT /api/v1/users/{id}', () => {
  const podium = podiumForSuite();
  const avatar = 'https://example.org/ada.png';

  function put(id, body, by = publisherToken()) {
    return request(podium.url, 'PUT', `/api/v1/users/${id}`, { token: by, body });
  }

  it('registers a user with 201 and changes one with 200', async (t) => {
    const { url } = await podiumForTest(t);
    const userId = randomUUID();
    const send = (body) =>
      request(url, 'PUT', `/api/v1/users/${userId}`, { token: publisherToken(), body });

    const created = await send({ username: 'Ada' });
    assert.equal(created.status, 201);
    expectUser(created.body, { userId, username: 'Ada', score: 0, rank: 1 });

    await act(url, { userId, scoreIncrease: 7 });
    const changed = await send({ username: 'Ada Lovelace', avatar });
    assert.equal(changed.status, 200);
    expectUser(changed.body, { userId, username: 'Ada Lovelace', avatar, score: 7, rank: 1 });

    const again = await send({ username: 'Ada Lovelace', avatar });
    assert.equal(again.status, 200);
    expectUser(again.body, { userId, username: 'Ada Lovelace', avatar, score: 7, rank: 1 });
  });

  it('lets an admin register a user', async () => {
    const admin = token({ user: randomUUID(), role: 'admin' });
    assert.equal((await put(randomUUID(), { username: 'Ada' }, admin)).status, 201);
  });

  it('keeps any language in a name', async () => {
    const userId = randomUUID();
    const username = 'Zoë 李小龍 مريم 🏆';
    await put(userId, { username });
    assert.equal((await get(podium, `/api/v1/users/${userId}`)).body.username, username);
  });

  const userId = randomUUID();
  for (const [what, [insufficient, status]] of Object.entries(insufficientTokens(userId))) {
    it(`refuses ${what} with ${status}`, async () => {
      const path = `/api/v1/users/${userId}`;
      const body = { username: 'Mallory' };
      const send = () => request(podium.url, 'PUT', path, { token: insufficient, body });
      await expectRefused(podium, send, status);
      expectProblem(await get(podium, path), 404);
    });
  }

  const wrong = {
    'a body without a username': {},
    'a username that is a number': { username: 42 },
    'an empty username': { username: '' },
    'an avatar that is a number': { username: 'Ada', avatar: 42 },
    'a list of values without names': ['Ada', null],
  };
  for (const [what, body] of Object.entries(wrong)) {
    it(`refuses ${what}`, async () => {
      await expectRefused(podium, () => put(randomUUID(), body), 400, 422);
    });
  }

  it('refuses malformed JSON', async () => {
    const path = `/api/v1/users/${randomUUID()}`;
    const send = () => request(podium.url, 'PUT', path, { token: publisherToken(), text: '{' });
    await expectRefused(podium, send, 400);
  });

  it('refuses an id that is not a UUID', async () => {
    await expectRefused(podium, () => put('ada', { username: 'Ada' }), 400);
  });
});

it('a field that no body has is named, and nothing is done', async (t) => {
  const podium = await podiumForTest(t);
  const { userId } = (
    await request(podium.url, 'POST', '/api/v1/users', { token: publisherToken(), body: { username: 'Ada' } })
  ).body;
  const action = { actionId: randomUUID(), userId, actionType: 'goal', scoreIncrease: 1 };
  const admin = token({ user: randomUUID(), role: 'admin' });
  for (const [method, path, body] of [
    ['POST', '/users', { username: 'Eve' }],
    ['PUT', `/users/${randomUUID()}`, { username: 'Eve' }],
    ['POST', '/actions', action],
    ['POST', '/notifications', { message: 'hello' }],
  ]) {
    const asked = { token: admin, body: { ...body, colour: 'red' } };
    const refused = await request(podium.url, method, `/api/v1${path}`, asked);
    expectProblem(refused, 422);
    assert.match(refused.body.detail, /unknown field `colour`/);
    if (path !== '/actions') continue;
    const many = { token: admin, body: [action, { ...action, actionId: randomUUID(), colour: 'red' }] };
    expectProblem(await request(podium.url, method, `/api/v1${path}`, many), 422);
  }
  const { topScores } = (await request(podium.url, 'GET', '/api/v1/leaderboard')).body;
  assert.deepEqual(topScores.map(({ username, score }) => [username, score]), [['Ada', 0]]);
});

describe('POST /api/v1/users', () => {
  const podium = podiumForSuite();

  function post(body, by = publisherToken()) {
    return request(podium.url, 'POST', '/api/v1/users', { token: by, body });
  }

  it('makes an id for each user without an externalId', async () => {
    const answers = [await post({ username: 'Ada' }), await post({ username: 'Ada' })];
    for (const { status, body } of answers) {
      assert.equal(status, 201);
      assert.match(body.userId, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/);
      expectUser(body, { userId: body.userId, username: 'Ada', score: 0, rank: body.rank });
    }
    assert.notEqual(answers[0].body.userId, answers[1].body.userId);
  });

  it('gives the same externalId the same user, with 201 and then 200', async () => {
    const avatar = 'https://example.org/ada.png';
    const created = await post({ username: 'Ada', externalId: 'pupil 7', avatar });
    assert.equal(created.status, 201);
    const { userId } = created.body;
    await act(podium.url, { userId, scoreIncrease: 7 });
    const again = await post({ username: 'Ada L.', externalId: ' pupil 7 ' });
    assert.equal(again.status, 200);
    expectUser(again.body, { userId, username: 'Ada L.', avatar, score: 7, rank: again.body.rank });
    const other = await post({ username: 'Ada', externalId: 'Pupil 7' });
    assert.equal(other.status, 201);
    assert.notEqual(other.body.userId, userId);
    // Not a secret of this server: the same id on every one.
    const elsewhere = await post({ username: 'Ada', externalId: '7' });
    assert.equal(elsewhere.body.userId, '44c5a406-8421-52ad-a0fe-43dcf8451a83');
  });

  it('gives users who come at once with one externalId one id', async () => {
    const body = { username: 'Eve', externalId: randomUUID() };
    const answers = await Promise.all(Array.from({ length: 20 }, () => post(body)));
    for (const { status } of answers) assert.ok([200, 201].includes(status), `${status}`);
    assert.equal(new Set(answers.map((answer) => answer.body.userId)).size, 1);
  });

  it('lets an admin register a user', async () => {
    const admin = token({ user: randomUUID(), role: 'admin' });
    assert.equal((await post({ username: 'Ada' }, admin)).status, 201);
  });

  for (const [what, [insufficient, status]] of Object.entries(insufficientTokens(randomUUID()))) {
    it(`refuses ${what} with ${status}`, async () => {
      const body = { username: 'Mallory' };
      const send = () => request(podium.url, 'POST', '/api/v1/users', { token: insufficient, body });
      await expectRefused(podium, send, status);
    });
  }

  const wrong = {
    'a body without a username': { externalId: '7' },
    'a field that is unknown': { username: 'Ada', externalID: '7' },
    'an empty username': { username: '' },
    'an empty externalId': { username: 'Ada', externalId: ' ' },
    'an externalId that is too long': { username: 'Ada', externalId: 'x'.repeat(129) },
    'an externalId with a line break': { username: 'Ada', externalId: 'a\nb' },
    'an externalId that is a list': { username: 'Ada', externalId: ['7'] },
  };
  for (const [what, body] of Object.entries(wrong)) {
    it(`refuses ${what}`, async () => {
      await expectRefused(podium, () => post(body), 400, 422);
    });
  }
});

describe('GET /api/v1/users/{id}', () => {
  const podium = podiumForSuite();

  it('shows anybody the user with score and rank', async (t) => {
    const podium = await podiumForTest(t);
    const [first, second] = [await newUser(podium, 'Ada'), await newUser(podium, 'Grace')];
    await act(podium.url, { userId: second, scoreIncrease: 3 });
    const response = await get(podium, `/api/v1/users/${first}`);
    assert.equal(response.status, 200);
    expectUser(response.body, { userId: first, username: 'Ada', score: 0, rank: 2 });
    const { body } = await get(podium, `/api/v1/users/${second}`);
    expectUser(body, { userId: second, username: 'Grace', score: 3, rank: 1 });
  });

  it('answers 404 for a user whom it does not know', async () => {
    expectProblem(await get(podium, `/api/v1/users/${randomUUID()}`), 404);
  });

  for (const id of ['ada', '42', '%FF']) {
    it(`answers 400 for ${id}, which is not a UUID`, async () => {
      expectProblem(await get(podium, `/api/v1/users/${id}`), 400);
    });
  }
});

describe('GET /api/v1/leaderboard', () => {
  const podium = podiumForSuite();
  const users = Array.from({ length: 12 }, () => randomUUID());

  /** The rows of the users from one place to another, counted from 1. */
  const rows = (from, to) =>
    users.slice(from - 1, to).map((userId, i) => {
      const rank = from + i;
      return { userId, username: `User ${rank}`, score: 130 - 10 * rank, rank };
    });

  before(async () => {
    for (const [i, id] of users.entries()) await putUser(podium.url, id, `User ${i + 1}`);
    const actions = rows(1, 12).map(({ userId, score }) => ({ userId, scoreIncrease: score }));
    await actAll(podium.url, actions);
  });

  it('shows anybody the board', async () => {
    const response = await get(podium, LEADERBOARD);
    assert.equal(response.status, 200);
    expectLeaderboard(response.body);
    assert.equal(response.body.totalUsers, 12);
    assert.deepEqual(response.body.topScores.slice(0, 10), rows(1, 10));
  });

  const pages = {
    '?limit=3': [1, 3],
    '?limit=3&offset=3': [4, 6],
    '?limit=10&offset=9': [10, 12],
    '?limit=12': [1, 12],
    '?limit=50': [1, 12],
    '?limit=3&offset=12': [13, 15],
    '?limit=3&offset=1000000': [13, 15],
  };
  for (const [query, [from, to]] of Object.entries(pages)) {
    it(`${query} shows the rows that it names, with their ranks`, async () => {
      const { status, body } = await get(podium, LEADERBOARD + query);
      assert.equal(status, 200);
      expectLeaderboard(body);
      assert.deepEqual(body.topScores, rows(from, to));
      assert.equal(body.totalUsers, 12);
    });
  }

  for (const query of ['?limit=-1', '?limit=ten', '?limit=1.5', '?offset=-1', '?offset=x']) {
    it(`${query} is refused`, async () => {
      expectProblem(await get(podium, LEADERBOARD + query), 400);
    });
  }

  describe('/around/{id}', () => {
    const around = (rank, query) => `${LEADERBOARD}/around/${users[rank - 1]}${query}`;
    const cases = [
      [around(6, '?window=2'), 4, 8],
      [around(6, '?window=0'), 6, 6],
      [around(1, '?window=2'), 1, 3],
      [around(12, '?window=3'), 9, 12],
    ];
    for (const [path, from, to] of cases) {
      it(`shows ranks ${from} to ${to} for ?${path.split('?')[1]}`, async () => {
        const { status, body } = await get(podium, path);
        assert.equal(status, 200);
        expectLeaderboard(body);
        assert.deepEqual(body.topScores, rows(from, to));
        assert.equal(body.totalUsers, 12);
      });
    }

    it('shows the user without a window, too', async () => {
      const { status, body } = await get(podium, around(6, ''));
      assert.equal(status, 200);
      assert.deepEqual(body.topScores.filter(({ rank }) => rank === 6), rows(6, 6));
    });

    it('answers 404 for a user whom it does not know', async () => {
      expectProblem(await get(podium, `${LEADERBOARD}/around/${randomUUID()}`), 404);
    });

    it('answers 400 for an id that is not a UUID', async () => {
      expectProblem(await get(podium, `${LEADERBOARD}/around/ada`), 400);
    });

    for (const query of ['?window=-1', '?window=x', '?window=1.5']) {
      it(`${query} is refused`, async () => {
        expectProblem(await get(podium, around(6, query)), 400);
      });
    }
  });
});

describe('of equal scores', () => {
  it('the one that was reached first ranks higher', async (t) => {
    const podium = await podiumForTest(t);
    const users = [await newUser(podium), await newUser(podium), await newUser(podium)];
    const [ada, grace, mary] = users;
    assert.deepEqual(await places(podium), [
      [ada, 0, 1],
      [grace, 0, 2],
      [mary, 0, 3],
    ]);

    for (const userId of [mary, ada, grace]) await act(podium.url, { userId, scoreIncrease: 10 });
    assert.deepEqual(await places(podium), [
      [mary, 10, 1],
      [ada, 10, 2],
      [grace, 10, 3],
    ]);
  });

  it('one that was left and reached again ranks lower', async (t) => {
    const podium = await podiumForTest(t);
    const [ada, grace] = [await newUser(podium), await newUser(podium)];
    for (const scoreIncrease of [1, -1]) await act(podium.url, { userId: ada, scoreIncrease });
    assert.deepEqual(await places(podium), [
      [grace, 0, 1],
      [ada, 0, 2],
    ]);
  });

  it('one keeps its place through an action that is worth nothing', async (t) => {
    const podium = await podiumForTest(t);
    const [ada, grace] = [await newUser(podium), await newUser(podium)];
    const answer = await act(podium.url, { userId: ada, scoreIncrease: 0 });
    assert.deepEqual([answer.rank, answer.oldRank], [1, 1]);
    assert.deepEqual(await places(podium), [
      [ada, 0, 1],
      [grace, 0, 2],
    ]);
  });
});

describe('the server', () => {
  const podium = podiumForSuite();

  for (const path of ['/healthz', '/readyz']) {
    it(`answers 200 to ${path}`, async () => {
      assert.equal((await get(podium, path)).status, 200);
    });
  }

  it('tells Prometheus what it does at /metrics', async (t) => {
    const podium = await podiumForTest(t);
    const user = await newUser(podium);
    const once = { userId: user, scoreIncrease: 5, actionId: 'once' };
    for (const _ of [1, 2]) await act(podium.url, once);
    await postActions(podium, action({ userId: randomUUID(), scoreIncrease: 5 }));
    for (const _ of [1, 2]) {
      const socket = await connect(podium.url, { token: token({ user, role: 'viewer' }) });
      // By then it is counted.
      await roundTrip(socket);
    }
    const response = await fetch(new URL('/metrics', podium.url));
    assert.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
    const lines = (await response.text()).split('\n');
    for (const line of [
      'podium_actions_total{outcome="accepted"} 1',
      'podium_actions_total{outcome="duplicate"} 1',
      'podium_actions_total{outcome="refused"} 1',
      'podium_actions_total{outcome="failed"} 0',
      'podium_board_seq 2',
      'podium_board_users 1',
      'podium_sockets 2',
      'podium_users_online 1',
      'podium_store_open 1',
      'podium_store_outages_total 0',
      'podium_store_reloads_total 0',
    ]) {
      assert.ok(lines.includes(line), `${line} in\n${lines.join('\n')}`);
    }
  });

  for (const path of ['/api/nothing', '/api/v1/nothing', '/api/v2/leaderboard']) {
    it(`answers 404 to ${path}`, async () => {
      expectProblem(await get(podium, path), 404);
    });
  }

  it('exits with 0 when it is told to stop', async () => {
    const podium = await startPodium();
    assert.deepEqual(await podium.stop(), { code: 0, signal: null });
  });
});
