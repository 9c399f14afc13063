// The contract of several boards on one server, by HTTP and Socket.IO: fed and derived ones,
// of people and of teams, open and private, with seasons.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';

import { expectHistory, expectLeaderboard, expectProblem, expectRefusal } from './support/expect.mjs';
import { action, request, token } from './support/podium.mjs';
import { ask, connect, nextEvent, received, roundTrip } from './support/socket.mjs';
import { podiumForSuite, podiumForTest } from './support/suite.mjs';

const API = '/api/v1';
/** Servers of some tests have clocks of their own. */
const LASTING = { iat: 1_577_836_800, exp: 4_102_444_800 };
const admin = token({ user: randomUUID(), role: 'admin', claims: LASTING });
const publisher = token({ user: randomUUID(), role: 'publisher', claims: LASTING });
const viewer = () => token({ user: randomUUID(), role: 'viewer', claims: LASTING });
const player = (user) => token({ user, claims: LASTING });

const LAPS = {
  title: 'Lap times',
  direction: 'lowest',
  operator: 'best',
  format: { style: 'duration', decimals: 3 },
  tiebreak: { direction: 'lowest' },
};
const WEEKLY = {
  title: 'This week',
  of: 'main',
  period: { every: 'week', zone: 'Europe/Berlin' },
};
const TEAMS = { title: 'Teams', of: 'main', by: 'team', best: 2 };

/** One request below `/api/v1`, as nobody unless a token is given. */
const call = (podium, method, path, body, as) =>
  request(podium.url, method, `${API}${path}`, { token: as, body });

const get = (podium, path, as) => call(podium, 'GET', path, undefined, as);

/** What is at a path, which is there. */
async function read(podium, path, as) {
  const { status, body } = await get(podium, path, as);
  assert.equal(status, 200, `${path}: ${JSON.stringify(body)}`);
  return body;
}

/** Puts something there as an organiser. */
async function put(podium, path, body) {
  const answer = await call(podium, 'PUT', path, body, admin);
  assert.ok(answer.status < 300, `PUT ${path}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}

/** Somebody new, with more of what a user has. */
async function person(podium, username, more = {}) {
  const id = randomUUID();
  await put(podium, `/users/${id}`, { username, ...more });
  return id;
}

async function team(podium, name) {
  const id = randomUUID();
  await put(podium, `/teams/${id}`, { name });
  return id;
}

/** An action on any board. */
const on = (board, userId, scoreIncrease, more = {}) => ({
  ...action({ userId, scoreIncrease }),
  board,
  ...more,
});

const post = (podium, body, as = publisher) => call(podium, 'POST', '/actions', body, as);

/** Sends actions that are accepted; resolves to their answers. */
async function acts(podium, ...actions) {
  const { status, body } = await post(podium, actions);
  assert.equal(status, 200, JSON.stringify(body));
  return body;
}

/** The rows of a board as `[name, score, rank]`. */
async function rows(podium, board, as) {
  const { topScores } = await read(podium, `/boards/${board}/leaderboard?limit=100`, as);
  return topScores.map(({ username, score, rank }) => [username, score, rank]);
}

/** An event that matches, whichever of those of other boards came before or after it. */
async function frame(socket, name, matches) {
  return received(socket, name).find(matches) ?? nextEvent(socket, name, matches);
}

/** A server with a board of each kind beside `main`, and people and teams. */
async function withBoards(t, options) {
  const podium = await podiumForTest(t, options);
  const [north, south] = [await team(podium, 'North'), await team(podium, 'South')];
  const ada = await person(podium, 'Ada', { team: north });
  const grace = await person(podium, 'Grace', { team: north });
  const alan = await person(podium, 'Alan', { team: south });
  await put(podium, '/boards/laps', LAPS);
  await put(podium, '/boards/weekly', WEEKLY);
  await put(podium, '/boards/teams', TEAMS);
  return { podium, north, south, ada, grace, alan };
}

describe('boards as settings', () => {
  it('are created, changed, listed and deleted', async (t) => {
    const podium = await podiumForTest(t);
    const created = await call(podium, 'PUT', '/boards/laps', LAPS, admin);
    assert.equal(created.status, 201);
    const { id, epoch, seq, totalUsers, ...settings } = created.body;
    assert.deepEqual([id, seq, totalUsers], ['laps', 0, 0]);
    assert.equal(epoch, (await read(podium, '/leaderboard')).epoch);
    assert.deepEqual(settings, {
      ...LAPS,
      ties: 'earliest',
      top: 10,
      visibility: 'public',
      everyone: false,
    });
    assert.deepEqual(await read(podium, '/boards/laps'), created.body);

    const changed = await call(podium, 'PUT', '/boards/laps', { ...LAPS, title: 'Laps', top: 3 }, admin);
    assert.equal(changed.status, 200);
    assert.deepEqual([changed.body.title, changed.body.top], ['Laps', 3]);
    assert.deepEqual(await read(podium, '/boards/laps'), changed.body);

    await put(podium, '/boards/weekly', WEEKLY);
    await put(podium, '/boards/a-first', {});
    const listed = await read(podium, '/boards');
    assert.deepEqual(listed.map(({ id }) => id), ['main', 'a-first', 'laps', 'weekly']);
    assert.deepEqual(listed[2], changed.body);
    assert.match(listed[3].season.name, /^\d{4}-W\d\d$/);
    assert.equal(listed[3].season.number, 1);

    for (const query of ['', '?confirm=', '?confirm=weekly', '?confirm=Laps']) {
      const refused = await call(podium, 'DELETE', `/boards/laps${query}`, undefined, admin);
      expectProblem(refused, 400);
      assert.match(refused.body.detail, /\?confirm=laps/);
    }
    const main = await call(podium, 'DELETE', '/boards/main?confirm=main', undefined, admin);
    expectProblem(main, 409);
    await put(podium, '/boards/of-first', { of: 'a-first' });
    const source = await call(podium, 'DELETE', '/boards/a-first?confirm=a-first', undefined, admin);
    expectProblem(source, 409);
    assert.match(source.body.detail, /of-first/);
    for (const board of ['of-first', 'a-first', 'laps']) {
      const path = `/boards/${board}?confirm=${board}`;
      assert.equal((await call(podium, 'DELETE', path, undefined, admin)).status, 204);
      expectProblem(await call(podium, 'DELETE', path, undefined, admin), 404);
    }
    assert.deepEqual((await read(podium, '/boards')).map(({ id }) => id), ['main', 'weekly']);
  });

  it('outlast the server', async (t) => {
    const { podium, ada } = await withBoards(t);
    await acts(podium, on('laps', ada, 83_456, { tiebreakIncrease: 2 }), on('main', ada, 5));
    const paths = ['laps', 'weekly', 'teams', 'main'].flatMap((board) => [
      `/boards/${board}`,
      `/boards/${board}/leaderboard`,
    ]);
    const before = await Promise.all(paths.map((path) => read(podium, path)));
    await podium.stop();
    const again = await podiumForTest(t, { database: podium.database });
    assert.deepEqual(await Promise.all(paths.map((path) => read(again, path))), before);
  });

  it('are a fresh one after one of the same name was deleted', async (t) => {
    const { podium, ada } = await withBoards(t);
    await acts(podium, on('laps', ada, 83_456));
    await call(podium, 'DELETE', '/boards/laps?confirm=laps', undefined, admin);
    expectProblem(await post(podium, on('laps', ada, 1)), 404);
    await put(podium, '/boards/laps', {});
    assert.deepEqual(await rows(podium, 'laps'), []);
    assert.equal((await read(podium, '/boards/laps')).operator, 'sum');
  });

  it('are an admin’s to change', async (t) => {
    const { podium, ada } = await withBoards(t);
    for (const [as, status] of [
      [undefined, 401],
      ['garbage', 401],
      [viewer(), 403],
      [player(ada), 403],
      [publisher, 403],
    ]) {
      for (const [method, path, body] of [
        ['PUT', '/boards/new', {}],
        ['PUT', '/boards/laps', LAPS],
        ['DELETE', '/boards/laps?confirm=laps', undefined],
        ['PUT', `/users/${ada}/standing`, { hidden: true }],
      ]) {
        expectProblem(await call(podium, method, path, body, as), status);
      }
      if (as !== publisher) {
        const path = `/teams/${randomUUID()}`;
        expectProblem(await call(podium, 'PUT', path, { name: 'West' }, as), status);
      }
    }
    assert.equal((await read(podium, '/boards')).length, 4);
    const west = `/teams/${randomUUID()}`;
    assert.equal((await call(podium, 'PUT', west, { name: 'West' }, publisher)).status, 201);
    assert.equal((await call(podium, 'PUT', west, { name: 'Wild West' }, publisher)).status, 200);
    assert.equal((await read(podium, west)).name, 'Wild West');
  });

  it('are at most as many as limits.boards says', async (t) => {
    const podium = await podiumForTest(t, { env: { PODIUM_LIMITS__BOARDS: '2' } });
    await put(podium, '/boards/second', {});
    const third = await call(podium, 'PUT', '/boards/third', {}, admin);
    expectProblem(third, 409);
    assert.match(third.body.detail, /2 boards.*limits\.boards/);
    await put(podium, '/boards/second', { title: 'Still mine' });
    await call(podium, 'DELETE', '/boards/second?confirm=second', undefined, admin);
    await put(podium, '/boards/third', {});
  });
});

describe('bad settings', () => {
  const podium = podiumForSuite();

  /** Settings, the status, and the beginning of the message, which names the key. */
  const REFUSED = {
    'an unknown field': [{ colour: 'red' }, 422, /^colour: unknown field `colour`, expected one of `title`/],
    'an unknown operator': [{ operator: 'max' }, 422, /^operator: unknown variant `max`.*`sum`/],
    'an unknown visibility': [{ visibility: 'secret' }, 422, /^visibility: unknown variant `secret`/],
    'an unknown style': [{ format: { style: 'hex' } }, 422, /^format\.style: unknown variant `hex`/],
    'an unknown field within': [{ format: { colour: 1 } }, 422, /^format\.colour: unknown field `colour`/],
    'a number as text': [{ top: 'ten' }, 422, /^top: invalid type/],
    'a title that is none': [{ title: 7 }, 422, /^title: invalid type/],
    'no title': [{ title: null }, 422, /^title: invalid type/],
    'no rows': [{ top: 0 }, 422, /^top: .*1 to 1000/],
    'fewer rows than none': [{ top: -1 }, 422, /^top: /],
    'a title that turns what follows': [{ title: 'a\u202eb' }, 422, /^title: it has U\+202E/],
    'a title that nobody sees': [{ title: '\u200b' }, 422, /^title: it has U\+200B/],
    'a unit that nobody sees': [{ format: { unit: 'k\u200bm' } }, 422, /^format\.unit: it has U\+200B/],
    'a group that turns what follows': [{ of: 'main', group: 'U\u202e18' }, 422, /^group: it has U\+202E/],
    'a type that turns what follows': [{ of: 'main', types: ['g\u202eoal'] }, 422, /^types: it has U\+202E/],
    'a long type of visibility': [{ visibility: 'x'.repeat(100_000) }, 422, /^visibility: .*`public`/],
    'a long unknown field': [{ ['x'.repeat(100_000)]: 1 }, 422, /^x+…: unknown field `x.*expected one of/],
    'a long zone': [
      { of: 'main', period: { every: 'day', zone: 'Z'.repeat(100_000) } },
      422,
      /^period\.zone: at most 64 characters/,
    ],
    'a long board': [{ of: 'x'.repeat(100_000) }, 422, /^of: a board id is/],
    'more members than may count': [
      { of: 'main', by: 'team', best: 1001 },
      422,
      /^best: 1 to 1000.*leave it out for all/,
    ],
    'too many rows': [{ top: 1001 }, 422, /^top: .*1000/],
    'a long title': [{ title: 'x'.repeat(101) }, 422, /^title: at most 100/],
    'a title with a line break': [{ title: 'a\nb' }, 422, /^title: /],
    'a time that is none': [{ starts: 'tomorrow' }, 422, /^starts: give a time/],
    'an end before the start': [
      { starts: '2027-01-02T00:00:00Z', ends: '2027-01-01T00:00:00Z' },
      422,
      /^ends: it must be later than starts/,
    ],
    'decimals of points': [{ format: { decimals: 2 } }, 422, /^format\.decimals: /],
    'decimals of a duration': [
      { format: { style: 'duration', decimals: 4 } },
      422,
      /^format\.decimals: 0 to 3/,
    ],
    'a unit of a duration': [
      { format: { style: 'duration', unit: 's' } },
      422,
      /^format\.unit: .*leave it out/,
    ],
    'a board that is not there': [{ of: 'nowhere' }, 422, /^of: there is no board nowhere: create/],
    'no id of a board': [{ of: 'Main' }, 422, /^of: a board id is/],
    'itself': [{ of: 'new' }, 422, /^of: new follows from this board already: name another/],
    'seasons of seasons': [
      { of: 'weekly', period: { every: 'month' } },
      422,
      /^of: weekly begins anew in each period: name the board that it is derived from/,
    ],
    'anything of seasons': [{ of: 'weekly' }, 422, /^of: weekly begins anew/],
    'anything of teams': [{ of: 'teams' }, 422, /^of: teams stand on teams/],
    'the best of no teams': [{ of: 'main', best: 3 }, 422, /^best: .*by: "team"/],
    'the best none': [{ of: 'main', by: 'team', best: 0 }, 422, /^best: 1 to 1000/],
    'teams of a fed board': [{ by: 'team' }, 422, /^by: only a derived board has it: name .* in of/],
    'a period of a fed board': [{ period: { every: 'week' } }, 422, /^period: only a derived/],
    'types of a fed board': [{ types: ['goal'] }, 422, /^types: only a derived/],
    'a group of a fed board': [{ group: 'U18' }, 422, /^group: only a derived/],
    'no types': [{ of: 'main', types: [] }, 422, /^types: none is named: name those that count/],
    'too many types': [
      { of: 'main', types: Array.from({ length: 65 }, (_, i) => `t${i}`) },
      422,
      /^types: at most 64/,
    ],
    'an empty type': [{ of: 'main', types: [''] }, 422, /^types: /],
    'an empty group': [{ of: 'main', group: ' ' }, 422, /^group: /],
    'a zone that is none': [
      { of: 'main', period: { every: 'day', zone: 'Mars/Olympus' } },
      422,
      /^period\.zone: /,
    ],
    'a period that is none': [
      { of: 'main', period: { every: 'year' } },
      422,
      /^period\.every: unknown variant `year`/,
    ],
    'a second score that nobody has': [
      { of: 'main', tiebreak: { direction: 'lowest' } },
      422,
      /^tiebreak: main has no second score: leave it out here, or give main one/,
    ],
    'everybody among teams': [
      { of: 'main', by: 'team', everyone: true },
      422,
      /^everyone: teams stand on this board.*leave it out/,
    ],
  };

  it('are refused with the key and the cure', async () => {
    await put(podium, '/boards/weekly', WEEKLY);
    await put(podium, '/boards/teams', TEAMS);
    const before = await read(podium, '/boards');
    for (const [what, [settings, status, message]] of Object.entries(REFUSED)) {
      const answer = await call(podium, 'PUT', '/boards/new', settings, admin);
      assert.equal(answer.status, status, `${what}: ${JSON.stringify(answer.body)}`);
      expectProblem(answer, status);
      assert.match(answer.body.detail, message, what);
      assert.ok(answer.body.detail.length < 1100, what);
    }
    for (const text of ['', '[]', 'null', '{"title":', '{"title":1}', '{"top":"ten"}']) {
      const options = { token: admin, text };
      expectProblem(await request(podium.url, 'PUT', `${API}/boards/new`, options), 400, 422);
    }
    assert.deepEqual(await read(podium, '/boards'), before);
    expectProblem(await get(podium, '/boards/new'), 404);
  });

  it('are refused in a circle', async () => {
    await put(podium, '/boards/one', {});
    await put(podium, '/boards/two', { of: 'one' });
    const circle = await call(podium, 'PUT', '/boards/one', { of: 'two' }, admin);
    expectProblem(circle, 409, 422);
    assert.match(circle.body.detail, /^of/);
  });

  it('are refused where they cannot change any more', async () => {
    const ada = await person(podium, 'Ada');
    await put(podium, '/boards/used', { everyone: true });
    await put(podium, '/boards/used', { everyone: true, operator: 'best' });
    await acts(podium, on('used', ada, 3));
    for (const [settings, key] of [
      [{ everyone: true, operator: 'sum' }, /operator/],
      [{ everyone: true, operator: 'best', direction: 'lowest' }, /what else decides/],
      [{ everyone: true, operator: 'best', of: 'main' }, /^of/],
      [{ operator: 'best' }, /^everyone/],
    ]) {
      const answer = await call(podium, 'PUT', '/boards/used', settings, admin);
      expectProblem(answer, 409);
      assert.match(answer.body.detail, key);
      assert.match(answer.body.detail, /create another board/);
    }
    await put(podium, '/boards/used', { everyone: true, operator: 'best', ties: 'dense' });
  });

  it('are refused under a name that is none', async () => {
    for (const name of ['Laps', '-laps', 'a_b', 'x'.repeat(64), 'a%20b', '%C3%A9', 'a.b']) {
      const refused = await call(podium, 'PUT', `/boards/${name}`, {}, admin);
      expectProblem(refused, 422);
      assert.match(refused.body.detail, /1 to 63 of a-z, 0-9 and -/);
      expectProblem(await get(podium, `/boards/${name}`), 404);
    }
    await put(podium, `/boards/${'x'.repeat(63)}`, {});
  });

  it('of a team or of membership are refused', async () => {
    const id = randomUUID();
    for (const [path, body, status, message] of [
      [`/teams/${id}`, { name: '' }, 422, /^name must/],
      [`/teams/${id}`, { name: 'a\u202eb' }, 422, /^name has U\+202E/],
      [`/teams/${id}`, { name: 7 }, 422, /^name: invalid type/],
      [`/users/${id}`, { username: 7 }, 422, /^username: invalid type/],
      [`/users/${id}`, { username: 'Ada', groups: ['a', 7] }, 422, /^groups\[1\]: invalid type/],
      [`/users/${id}`, { username: 'Ada', groups: ['a\u200b'] }, 422, /^groups: it has U\+200B/],
      [`/users/${id}`, { username: 'Ada', team: 'x'.repeat(100_000) }, 400, /is not a UUID$/],
      [`/teams/${id}`, { name: 'x', colour: 1 }, 422, /unknown field `colour`/],
      ['/teams/north', { name: 'North' }, 400, /not a UUID/],
      [`/users/${id}`, { username: 'Ada', team: 'north' }, 400, /not a UUID/],
      [`/users/${id}`, { username: 'Ada', team: randomUUID() }, 404, /PUT \/api\/v1\/teams/],
      [`/users/${id}`, { username: 'Ada', groups: [''] }, 422, /^groups: /],
      [`/users/${id}`, { username: 'Ada', groups: ['x'.repeat(65)] }, 422, /^groups: at most 64/],
      [
        `/users/${id}`,
        { username: 'Ada', groups: Array.from({ length: 33 }, (_, i) => `g${i}`) },
        422,
        /^groups: at most 32/,
      ],
    ]) {
      const answer = await call(podium, 'PUT', path, body, admin);
      assert.equal(answer.status, status, JSON.stringify([path, body, answer.body]));
      assert.match(answer.body.detail, message);
      assert.ok(answer.body.detail.length < 1100, path);
      // Nothing of it was done.
      expectProblem(await get(podium, `/users/${id}`), 404);
    }
    expectProblem(await get(podium, `/teams/${id}`), 404);
  });
});

describe('boards that are not there', () => {
  const podium = podiumForSuite();

  it('are a 404 with their name on every route', async () => {
    const ada = await person(podium, 'Ada');
    for (const path of [
      '',
      '/leaderboard',
      `/leaderboard/around/${ada}`,
      '/users?q=a',
      `/users/${ada}`,
      `/users/${ada}/history`,
      '/seasons',
      '/seasons/1/leaderboard',
    ]) {
      const answer = await get(podium, `/boards/nowhere${path}`);
      expectProblem(answer, 404);
      assert.match(answer.body.detail, /nowhere/, path);
    }
    const refused = await post(podium, on('nowhere', ada, 1));
    expectProblem(refused, 404);
    assert.match(refused.body.detail, /nowhere/);
    const [error] = (await post(podium, [on('nowhere', ada, 1)])).body;
    assert.match(error.error.detail, /nowhere/);
    expectProblem(await post(podium, on('No Where', ada, 1)), 422);
    const socket = await connect(podium.url, { token: viewer() });
    const ack = await ask(socket, 'subscribe_scoreboard', { board: 'nowhere' });
    expectRefusal(ack, 'There is no board nowhere');
    assert.equal(ack.error.code, 'UNKNOWN_BOARD');
  });
});

describe('actions on several boards', () => {
  it('are answered with what they did on the board that they name', async (t) => {
    const { podium, ada, grace, alan } = await withBoards(t);
    const { seq } = await read(podium, '/leaderboard');
    const answers = await acts(
      podium,
      on('laps', ada, 83_456, { tiebreakIncrease: 2 }),
      action({ userId: ada, scoreIncrease: 10 }),
      on('laps', grace, 83_456, { tiebreakIncrease: 1 }),
      on('main', grace, 20),
      on('laps', ada, 90_000, { tiebreakIncrease: 0 }),
      on('laps', ada, 80_000, { tiebreakIncrease: 5 }),
      on('main', alan, 15),
    );
    const answer = (seq, score, rank, oldRank) => ({ seq, score, rank, oldRank, duplicate: false });
    const lap = (tiebreak, ...values) => ({ ...answer(...values), tiebreak });
    assert.deepEqual(answers, [
      lap(2, 1, 83_456, 1, null),
      answer(seq + 1, 10, 1, 1),
      lap(1, 2, 83_456, 1, null),
      answer(seq + 2, 20, 1, 2),
      lap(2, 3, 83_456, 2, 2),
      lap(5, 4, 80_000, 1, 2),
      answer(seq + 3, 15, 2, 3),
    ]);
    assert.deepEqual(await rows(podium, 'laps'), [
      ['Ada', 80_000, 1],
      ['Grace', 83_456, 2],
    ]);
    const main = [
      ['Grace', 20, 1],
      ['Alan', 15, 2],
      ['Ada', 10, 3],
    ];
    assert.deepEqual(await rows(podium, 'main'), main);
    assert.deepEqual(await rows(podium, 'weekly'), main);
    assert.deepEqual(await rows(podium, 'teams'), [
      ['North', 30, 1],
      ['South', 15, 2],
    ]);
  });

  it('count once, whatever the board', async (t) => {
    const { podium, ada } = await withBoards(t);
    const lap = on('laps', ada, 83_456);
    const [first] = await acts(podium, lap);
    const [again] = await acts(podium, lap);
    assert.deepEqual(again, { ...first, duplicate: true });
    expectProblem(await post(podium, { ...lap, board: 'main' }), 409);
    expectProblem(await post(podium, { ...lap, tiebreakIncrease: 1 }), 409);
    assert.deepEqual(await rows(podium, 'main'), [
      ['Ada', 0, 1],
      ['Grace', 0, 2],
      ['Alan', 0, 3],
    ]);
  });

  it('are refused one by one', async (t) => {
    const { podium, ada } = await withBoards(t);
    await put(podium, '/boards/later', { starts: '2099-01-01T00:00:00Z' });
    await put(podium, '/boards/over', { ends: '2020-01-01T00:00:00Z' });
    const { status, body } = await post(podium, [
      on('weekly', ada, 1),
      on('teams', ada, 1),
      on('nowhere', ada, 1),
      on('later', ada, 1),
      on('over', ada, 1),
      on('main', ada, 1),
    ]);
    assert.equal(status, 207);
    assert.deepEqual(
      body.map(({ error }) => error?.status),
      [409, 409, 404, 409, 409, undefined],
    );
    assert.match(body[0].error.detail, /weekly follows from the actions on main: send them/);
    assert.match(body[3].error.detail, /has not started/);
    assert.match(body[4].error.detail, /has ended/);
    assert.equal(body[5].score, 1);
  });
});

describe('second scores', () => {
  /** What a socket was told of rows, alone or in batches. */
  const changes = (socket) => [
    ...received(socket, 'scoreboard_update'),
    ...received(socket, 'batch_update').flat(),
  ];

  it('stand beside each score of a board that has them', async (t) => {
    const { podium, ada, grace, alan } = await withBoards(t);
    const socket = await connect(podium.url, { token: player(ada) });
    const own = { userId: ada, board: 'laps' };
    assert.equal((await ask(socket, 'subscribe_user_score', own)).ok, true);
    const before = await nextEvent(socket, 'user_score_update', ({ board }) => board === 'laps');
    assert.deepEqual([before.score, before.tiebreak], [null, null]);
    await ask(socket, 'subscribe_scoreboard', { board: 'laps' });

    const lap = on('laps', ada, 83_456, { tiebreakIncrease: 2 });
    const one = await post(podium, lap);
    assert.deepEqual([one.body.score, one.body.tiebreak], [83_456, 2]);
    assert.deepEqual((await post(podium, lap)).body, { ...one.body, duplicate: true });
    const acted = ({ actionType }) => actionType === lap.actionType;
    const update = await nextEvent(socket, 'user_score_update', acted);
    assert.deepEqual([update.score, update.tiebreak, update.rank], [83_456, 2, 1]);
    // Of a tick, those come before.
    const [change] = changes(socket).filter(({ userId }) => userId === ada);
    assert.deepEqual([change.newScore, change.newTiebreak], [83_456, 2]);

    // Equal laps, and fewer of the second.
    await acts(podium, on('laps', grace, 83_456, { tiebreakIncrease: 1 }));
    const moved = ({ actionType }) => actionType === 'RANK_CHANGE';
    const passed = await nextEvent(socket, 'user_score_update', moved);
    assert.deepEqual([passed.score, passed.tiebreak, passed.rank], [83_456, 2, 2]);

    const user = await read(podium, `/boards/laps/users/${ada}`);
    assert.deepEqual([user.score, user.tiebreak], [83_456, 2]);
    const none = await read(podium, `/boards/laps/users/${alan}`);
    assert.deepEqual([none.score, none.tiebreak], [null, null]);
    const { users } = await read(podium, '/boards/laps/users?q=a');
    const found = Object.fromEntries(users.map((it) => [it.username, it.tiebreak]));
    assert.deepEqual(found, { Ada: 2, Alan: null });

    await acts(podium, on('laps', ada, 80_000, { tiebreakIncrease: 7 }));
    const history = await read(podium, `/boards/laps/users/${ada}/history`);
    assert.equal(history.tiebreak, 7);
    assert.deepEqual(history.history.map(({ tiebreak }) => tiebreak), [2, 7]);
    assert.deepEqual(history.recent.map(({ tiebreak }) => tiebreak), [7, 2]);

    const file = await read(podium, '/boards/laps/export?format=ctftime');
    assert.deepEqual(file.standings, [
      { pos: 1, team: 'Ada', score: 80_000, tiebreak: 7 },
      { pos: 2, team: 'Grace', score: 83_456, tiebreak: 1 },
    ]);
    const rest = await read(podium, '/boards/laps/export?format=ctftime&offset=1');
    assert.deepEqual(rest.standings, file.standings.slice(1));
  });

  it('are nowhere on a board that has none', async (t) => {
    const { podium, ada } = await withBoards(t);
    const socket = await connect(podium.url, { token: player(ada) });
    await ask(socket, 'subscribe_scoreboard');
    const [answer] = await acts(podium, on('main', ada, 5));
    const update = await nextEvent(socket, 'user_score_update', ({ score }) => score === 5);
    const [change] = changes(socket).filter(({ newScore }) => newScore === 5);
    assert.ok(change);
    const file = await read(podium, '/boards/main/export?format=ctftime');
    const shown = [answer, update, change, file, await read(podium, `/users/${ada}`)];
    shown.push(await read(podium, `/users/${ada}/history`), await read(podium, '/users?q=a'));
    assert.doesNotMatch(JSON.stringify(shown), /tiebreak/i);
  });

  it('take nothing where there are none', async (t) => {
    const { podium, ada } = await withBoards(t);
    const lost = on('main', ada, 5, { tiebreakIncrease: 3 });
    const refused = await post(podium, lost);
    expectProblem(refused, 400);
    assert.match(refused.body.detail, /^tiebreakIncrease: the board main has no second score: leave it out/);
    const { status, body } = await post(podium, [on('main', ada, 1), lost, on('laps', ada, 9, { tiebreakIncrease: 3 })]);
    assert.equal(status, 207);
    assert.deepEqual(body.map(({ error, score }) => error?.status ?? score), [1, 400, 9]);
    assert.match(body[1].error.detail, /^tiebreakIncrease: /);
    // The id was not used up, and nothing for the second is nothing at all.
    const [counted] = await acts(podium, { ...lost, tiebreakIncrease: 0 });
    assert.deepEqual([counted.score, counted.duplicate], [6, false]);
    const all = await post(podium, [lost, lost]);
    assert.deepEqual([all.status, all.body.map(({ error }) => error.status)], [207, [400, 400]]);
    // Boards that take no action say that.
    const derived = await post(podium, on('weekly', ada, 5, { tiebreakIncrease: 3 }));
    expectProblem(derived, 409);
  });

  it('are whole numbers, and are called what they are', async (t) => {
    const { podium, ada } = await withBoards(t);
    for (const bad of ['1.5', '"x"', '9007199254740992', '[]']) {
      const lap = JSON.stringify(on('laps', ada, 1)).replace(/}$/, `,"tiebreakIncrease":${bad}}`);
      const options = { token: publisher, text: lap };
      const refused = await request(podium.url, 'POST', `${API}/actions`, options);
      expectProblem(refused, 422);
      assert.match(refused.body.detail, /^tiebreakIncrease must be a whole number/, bad);
    }
  });
});

describe('a team', () => {
  it('is found by its id wherever a row shows it', async (t) => {
    const { podium, north, south, ada, grace, alan } = await withBoards(t);
    await acts(podium, on('main', ada, 30), on('main', grace, 10), on('main', alan, 20));
    const [first, second] = (await read(podium, '/boards/teams/leaderboard')).topScores;
    assert.deepEqual([first.userId, second.userId], [north, south]);

    const around = await read(podium, `/boards/teams/leaderboard/around/${south}?window=1`);
    assert.deepEqual(around.topScores, [first, second]);
    const user = await read(podium, `/boards/teams/users/${north}`);
    assert.deepEqual(
      [user.userId, user.username, user.score, user.rank, user.board],
      [north, 'North', 40, 1, 'teams'],
    );
    const { users } = await read(podium, '/boards/teams/users?q=south');
    assert.deepEqual(users, [{ userId: south, username: 'South', score: 20, rank: 2 }]);
    const history = await get(podium, `/boards/teams/users/${north}/history`);
    expectProblem(history, 404);
    assert.match(history.body.detail, /a team has no history of its own.*members/);

    // Teams stand nowhere else, and a team without a result has no rank.
    const west = await team(podium, 'West');
    for (const id of [north, west]) {
      for (const path of [`/users/${id}`, `/users/${id}/history`, `/leaderboard/around/${id}`]) {
        expectProblem(await get(podium, path), 404);
        expectProblem(await get(podium, `/boards/weekly${path}`), 404);
      }
    }
    const unranked = await read(podium, `/boards/teams/users/${west}`);
    assert.deepEqual([unranked.username, unranked.score, unranked.rank], ['West', null, null]);
    expectProblem(await get(podium, `/boards/teams/leaderboard/around/${west}`), 404);

    // A person is there as one without a result.
    const person = await read(podium, `/boards/teams/users/${ada}`);
    assert.deepEqual([person.username, person.score, person.rank], ['Ada', null, null]);
    const nobody = await get(podium, `/boards/teams/leaderboard/around/${ada}`);
    expectProblem(nobody, 404);
    assert.match(nobody.body.detail, /teams stand on this board/);
    assert.deepEqual((await read(podium, `/boards/teams/users/${ada}/history`)).history, []);
  });

  it('has a page with its members', async (t) => {
    const { podium, north, ada, grace, alan } = await withBoards(t);
    const mary = await person(podium, 'Mary', { team: north });
    const idle = await person(podium, 'Idle', { team: north });
    await acts(podium, on('main', ada, 30), on('main', grace, 10), on('main', alan, 20), on('main', mary, 25));
    const page = async (path) => {
      const answer = await request(podium.url, 'GET', path);
      const row = (name) => answer.body.match(new RegExp(`<tr(?:(?!<tr).)*${name}.*?</tr>`, 's'))?.[0];
      return { ...answer, row };
    };
    const shown = await page(`/b/teams/players/${north}`);
    assert.equal(shown.status, 200);
    assert.match(shown.body, /<title>North · Teams<\/title>/);
    assert.match(shown.body, /#1</);
    assert.match(shown.body, />55</);
    assert.match(shown.row('Ada'), new RegExp(`href="/players/${ada}".*>30<.*>Yes<`, 's'));
    assert.match(shown.row('Mary'), />25<.*>Yes</s);
    assert.match(shown.row('Grace'), />10<.*>No</s);
    assert.ok(shown.body.indexOf('Ada') < shown.body.indexOf('Mary'));
    assert.doesNotMatch(shown.body, new RegExp(`Alan|Idle|${idle}`));

    // Who is hidden is on no page, and another counts.
    await call(podium, 'PUT', `/users/${ada}/standing`, { hidden: true }, admin);
    const without = await page(`/b/teams/players/${north}`);
    assert.doesNotMatch(without.body, /Ada/);
    assert.match(without.row('Grace'), />10<.*>Yes</s);
    assert.match(without.body, />35</);

    // All count where it is a sum, and a renamed team has its new name.
    await put(podium, '/boards/sums', { of: 'main', by: 'team' });
    await put(podium, `/teams/${north}`, { name: 'Far North' });
    const sum = await page(`/b/sums/players/${north}`);
    assert.match(sum.body, /<h1>.*Far North/);
    assert.doesNotMatch(sum.body, />(Yes|No)</);
    for (const path of [`/players/${north}`, `/b/weekly/players/${north}`, `/b/teams/players/${randomUUID()}`]) {
      assert.equal((await page(path)).status, 404, path);
    }
    const search = await page('/b/teams?q=north');
    assert.match(search.body, new RegExp(`href="/b/teams/players/${north}"`));
    assert.equal((await page(`/b/teams/players/${ada}`)).status, 200);
    // On a board that nobody finds without its link, nothing leads to it.
    await put(podium, '/boards/quiet', { visibility: 'unlisted' });
    await put(podium, '/boards/quiet-teams', { of: 'quiet', by: 'team' });
    await acts(podium, on('quiet', grace, 3));
    const quiet = await page(`/b/quiet-teams/players/${north}`);
    assert.match(quiet.row('Grace'), new RegExp(`href="/b/quiet-teams/players/${grace}"`));
    assert.doesNotMatch(quiet.body, /\/b\/quiet\//);
  });

  it('has its score sent to its members who ask for it', async (t) => {
    const { podium, north, south, ada, grace, alan } = await withBoards(t);
    const socket = await connect(podium.url, { token: player(ada) });
    const ofTeam = { userId: north, board: 'teams' };
    for (const refused of [{ userId: south, board: 'teams' }, { userId: north }, { userId: north, board: 'weekly' }]) {
      expectRefusal(await ask(socket, 'subscribe_user_score', refused), 'Forbidden');
    }
    const stranger = await connect(podium.url, { token: viewer() });
    expectRefusal(await ask(stranger, 'subscribe_user_score', ofTeam), 'Forbidden');

    const ofTeams = ({ board }) => board === 'teams';
    assert.equal((await ask(socket, 'subscribe_user_score', ofTeam)).ok, true);
    const before = await frame(socket, 'user_score_update', ofTeams);
    assert.deepEqual([before.userId, before.score, before.rank, before.actionType], [north, null, null, 'CURRENT']);
    // Another member acts, and then another team.
    await acts(podium, on('main', grace, 10, { actionType: 'goal' }));
    const acted = await nextEvent(socket, 'user_score_update', (it) => ofTeams(it) && it.score === 10);
    assert.deepEqual(
      [acted.userId, acted.rank, acted.actionType, acted.scoreIncrease, acted.merged],
      [north, 1, 'goal', 10, 1],
    );
    await acts(podium, on('main', alan, 20));
    const passed = await nextEvent(socket, 'user_score_update', (it) => ofTeams(it) && it.rank === 2);
    assert.deepEqual([passed.userId, passed.actionType, passed.scoreIncrease], [north, 'RANK_CHANGE', 0]);
    // Of a member who is hidden nobody hears.
    await call(podium, 'PUT', `/users/${grace}/standing`, { hidden: true }, admin);
    await nextEvent(socket, 'user_score_update', (it) => ofTeams(it) && it.rank === null);
    const heard = received(socket, 'user_score_update').length;
    await acts(podium, on('main', grace, 99));
    await roundTrip(socket);
    const since = received(socket, 'user_score_update').slice(heard);
    assert.deepEqual(since.filter(ofTeams), []);
    // Their own is another, and takes its place.
    assert.equal((await ask(socket, 'subscribe_user_score', { userId: ada, board: 'teams' })).ok, true);
    const own = await nextEvent(socket, 'user_score_update', (it) => ofTeams(it) && it.userId === ada);
    assert.deepEqual([own.score, own.rank], [null, null]);
  });
});

describe('past moments', () => {
  it('are refused until they can be shown', async (t) => {
    const { podium, ada } = await withBoards(t);
    for (const path of ['/leaderboard', `/leaderboard/around/${ada}`, `/users/${ada}`, `/users/${ada}/history`]) {
      for (const at of ['2026-11-01T12:00:00Z', '7', '']) {
        for (const board of ['', '/boards/main', '/boards/weekly']) {
          const refused = await get(podium, `${board}${path}?at=${at}`);
          expectProblem(refused, 400);
          assert.match(refused.body.detail, /^at: past moments cannot be shown yet: leave it out/);
        }
      }
      await get(podium, `${path}?more=1`).then(({ status }) => assert.equal(status, 200));
    }
  });
});

describe('caches on the way', () => {
  it('keep nothing of a private board', async (t) => {
    const { podium, ada } = await withBoards(t);
    await put(podium, '/boards/staff', { visibility: 'private' });
    await acts(podium, on('staff', ada, 77));
    const paths = ['', '/leaderboard', `/leaderboard/around/${ada}`, '/users?q=ada', `/users/${ada}`];
    paths.push(`/users/${ada}/history`, '/seasons', '/export', '/export?format=json');
    // Whatever else it depends on, it does so on every route.
    const vary = ({ vary }) => vary.split(', ').filter((name) => !/^(origin|access-control)/.test(name));
    const about = ({ headers }) => [headers['cache-control'], ...vary(headers)];
    for (const path of paths) {
      for (const as of [player(ada), admin, undefined]) {
        for (const board of ['staff', 'nobod']) {
          const answer = await get(podium, `/boards/${board}${path}`, as);
          assert.deepEqual(about(answer), ['private, no-cache', 'authorization'], `${board}${path}`);
        }
      }
      // Of a board for everybody nothing is said, but of settings, which not all see alike, and of
      // lists, which have a tag.
      const open = await get(podium, `/boards/laps${path}`);
      const expected = { '': [undefined, 'authorization'], '/seasons': ['no-cache', 'authorization'] };
      assert.deepEqual(about(open), expected[path] ?? [undefined], path);
    }
    assert.deepEqual(about(await get(podium, '/boards', player(ada))), ['private, no-cache', 'authorization']);
    assert.deepEqual(about(await get(podium, '/boards')), ['no-cache', 'authorization']);

    const cookie = `podium_token=${player(ada)}`;
    const picture = (path, more = {}) => request(podium.url, 'GET', path, { headers: { cookie, ...more } });
    const shown = await picture('/b/staff/share.png');
    assert.equal(shown.status, 200);
    assert.match(shown.headers['cache-control'], /private/);
    assert.match(shown.headers.vary, /cookie/);
    const known = await picture('/b/staff/share.png', { 'if-none-match': shown.headers.etag });
    assert.equal(known.status, 304);
    assert.match(known.headers['cache-control'], /private/);
    for (const path of ['/b/staff', `/b/staff/players/${ada}`, '/b/staff/page/token', '/b/staff/page/rows']) {
      const { status, headers } = await picture(path);
      assert.equal(status, 200, path);
      assert.match(headers['cache-control'], /no-store|private/, path);
    }
    const open = await request(podium.url, 'GET', '/b/laps/share.png');
    assert.equal(open.headers['cache-control'], 'no-cache');
    // Nor of what a client that polls is sent.
    const polling = await request(podium.url, 'GET', '/socket.io/?EIO=4&transport=polling');
    assert.deepEqual([polling.status, polling.headers['cache-control']], [200, 'no-store']);
  });
});

describe('the board that a board is derived from', () => {
  it('is named to those alone for whom it is listed', async (t) => {
    const { podium, ada } = await withBoards(t);
    await put(podium, '/boards/quiet', { visibility: 'unlisted' });
    await put(podium, '/boards/loud', { of: 'quiet' });
    await put(podium, '/boards/staff', { visibility: 'private' });
    await put(podium, '/boards/of-staff', { of: 'staff', visibility: 'private' });
    const source = async (board, as) => {
      const one = await read(podium, `/boards/${board}`, as);
      const listed = (await read(podium, '/boards', as)).find(({ id }) => id === board);
      assert.deepEqual(one, listed);
      return one.of;
    };
    for (const as of [undefined, viewer(), player(ada), publisher]) {
      assert.equal(await source('loud', as), undefined);
      assert.equal(await source('weekly', as), 'main');
    }
    assert.equal(await source('loud', admin), 'quiet');
    assert.equal(await source('of-staff', player(ada)), 'staff');
    // What is public needs no token that is valid.
    assert.equal((await read(podium, '/boards/loud', 'garbage')).of, undefined);
    // An organiser sends back what they were shown.
    const whole = await read(podium, '/boards/loud', admin);
    await put(podium, '/boards/loud', { ...whole, title: 'Loud' });
  });
});

describe('reading one of several boards', () => {
  it('has the rows, the users and the history of that board', async (t) => {
    const { podium, ada, grace, alan, north } = await withBoards(t);
    await acts(
      podium,
      on('laps', ada, 83_456, { tiebreakIncrease: 2 }),
      on('laps', ada, 80_000, { tiebreakIncrease: 3 }),
      on('laps', grace, 81_000),
      on('main', alan, 7),
    );
    const laps = await read(podium, '/boards/laps/leaderboard');
    assert.equal(laps.board, 'laps');
    assert.equal(laps.totalUsers, 2);
    assert.deepEqual(laps.topScores[0], {
      userId: ada,
      username: 'Ada',
      score: 80_000,
      rank: 1,
      tiebreak: 3,
    });
    const around = await read(podium, `/boards/laps/leaderboard/around/${grace}?window=1`);
    assert.equal(around.board, 'laps');
    assert.deepEqual(around.topScores.map(({ username }) => username), ['Ada', 'Grace']);
    // Nobody is around somebody without a result.
    expectProblem(await get(podium, `/boards/laps/leaderboard/around/${alan}`), 404);

    const onLaps = await read(podium, `/boards/laps/users/${grace}`);
    assert.deepEqual([onLaps.board, onLaps.score, onLaps.rank], ['laps', 81_000, 2]);
    const unranked = await read(podium, `/boards/laps/users/${alan}`);
    assert.deepEqual([unranked.score ?? null, unranked.rank ?? null], [null, null]);
    assert.equal((await read(podium, `/users/${alan}`)).score, 7);

    const { board, tiebreak, ...history } = await read(podium, `/boards/laps/users/${ada}/history`);
    assert.deepEqual([board, tiebreak], ['laps', 3]);
    const without = (list) => list.map(({ tiebreak, ...it }) => it);
    const { history: points, recent } = history;
    expectHistory({ ...history, history: without(points), recent: without(recent) });
    assert.deepEqual(history.history.map(({ score }) => score), [83_456, 80_000]);
    assert.deepEqual(history.recent.map(({ scoreIncrease }) => scoreIncrease), [80_000, 83_456]);
    assert.deepEqual([history.actions, history.bestRank], [2, 1]);
    const main = await read(podium, `/users/${ada}/history`);
    assert.deepEqual([main.actions, main.history, main.score], [0, [], 0]);
    const weekly = await read(podium, `/boards/weekly/users/${alan}/history`);
    assert.deepEqual([weekly.score, weekly.rank], [7, 1]);
    const [point, ...others] = weekly.history;
    assert.deepEqual([point.score, 'seq' in point, 'rank' in point, others], [7, false, false, []]);
    assert.deepEqual([weekly.actions, weekly.recent[0].scoreIncrease], [1, 7]);

    const search = async (name) => (await read(podium, `/boards/laps/users?q=${name}`)).users;
    assert.deepEqual((await search('grace')).map(({ score, rank }) => [score, rank]), [[81_000, 2]]);
    for (const { score, rank } of await search('alan')) {
      assert.deepEqual([score ?? null, rank ?? null], [null, null]);
    }

    const [first] = (await read(podium, '/boards/teams/leaderboard')).topScores;
    assert.deepEqual([first.username, first.score, first.rank], ['South', 7, 1]);
    assert.equal((await read(podium, `/teams/${north}`)).name, 'North');
  });

  it('by a client that names none is as on a server with main alone', async (t) => {
    const { podium, ada } = await withBoards(t);
    await acts(podium, on('laps', ada, 83_456, { tiebreakIncrease: 2 }), on('main', ada, 5));
    const plain = await read(podium, '/leaderboard');
    expectLeaderboard(plain);
    // Three people and one action.
    assert.equal(plain.seq, 4);
    assert.deepEqual(await read(podium, '/boards/main/leaderboard'), plain);
    for (const path of [
      `/leaderboard/around/${ada}`,
      `/users/${ada}`,
      `/users/${ada}/history`,
      '/users?q=ad',
    ]) {
      const text = JSON.stringify(await read(podium, path));
      assert.doesNotMatch(text, /"board"|tiebreak|83456/, path);
      assert.deepEqual(await read(podium, `/boards/main${path}`), await read(podium, path));
    }
  });
});

describe('sockets that watch several boards', () => {
  const first = (board, score) => (it) => it.board === board && it.topScores[0]?.score === score;

  it('get each board’s frames with its name and a seq of its own', async (t) => {
    const { podium, ada, grace } = await withBoards(t);
    const socket = await connect(podium.url, { token: viewer() });
    const boards = ['laps', 'weekly', 'teams'];
    for (const board of boards) {
      assert.deepEqual((await ask(socket, 'subscribe_scoreboard', { board })).ok, true);
      const shown = await frame(socket, 'leaderboard_refresh', (it) => it.board === board);
      assert.deepEqual(shown, await read(podium, `/boards/${board}/leaderboard`));
    }
    await acts(podium, on('laps', ada, 83_456, { tiebreakIncrease: 2 }));
    const laps = await frame(socket, 'leaderboard_refresh', first('laps', 83_456));
    assert.equal(laps.seq, 1);
    assert.deepEqual(laps, await read(podium, '/boards/laps/leaderboard'));
    await acts(podium, on('main', grace, 5));
    for (const board of ['weekly', 'teams']) {
      const shown = await frame(socket, 'leaderboard_refresh', first(board, 5));
      assert.deepEqual(shown, await read(podium, `/boards/${board}/leaderboard`));
    }
    await roundTrip(socket);
    // It does not watch main.
    const frames = received(socket, 'leaderboard_refresh');
    assert.ok(frames.every(({ board }) => boards.includes(board)), JSON.stringify(frames));
    const updates = [
      ...received(socket, 'scoreboard_update'),
      ...received(socket, 'batch_update').flat(),
    ];
    assert.ok(updates.every(({ board }) => boards.includes(board)), JSON.stringify(updates));

    await ask(socket, 'unsubscribe_scoreboard', { board: 'laps' });
    await acts(podium, on('laps', ada, 70_000), on('main', ada, 50));
    await frame(socket, 'leaderboard_refresh', first('weekly', 50));
    await roundTrip(socket);
    assert.ok(!received(socket, 'leaderboard_refresh').some(first('laps', 70_000)));
  });

  it('in delta mode get the changes of each', async (t) => {
    const { podium, ada } = await withBoards(t);
    const socket = await connect(podium.url, { token: viewer() });
    // Whoever watches a board that was just created may get it whole once more.
    await ask(socket, 'subscribe_scoreboard', { board: 'laps' });
    await ask(socket, 'subscribe_scoreboard');
    await acts(podium, on('laps', ada, 90_000), on('main', ada, 1));
    await frame(socket, 'leaderboard_refresh', first('laps', 90_000));
    await frame(socket, 'leaderboard_refresh', first(undefined, 1));

    await ask(socket, 'subscribe_scoreboard', { board: 'laps', mode: 'delta' });
    await ask(socket, 'subscribe_scoreboard', { mode: 'delta' });
    await acts(podium, on('laps', ada, 83_456, { tiebreakIncrease: 2 }), on('main', ada, 5));
    const laps = await frame(socket, 'scoreboard_delta', ({ board }) => board === 'laps');
    assert.deepEqual([laps.from, laps.to], [1, 2]);
    assert.equal(laps.changes[0].tiebreak, 2);
    const main = await frame(socket, 'scoreboard_delta', ({ board }) => board === undefined);
    assert.equal(main.to, 5);
    assert.ok(!('tiebreak' in main.changes[0]));
  });

  it('hear in heartbeats how far the boards are that they watch', async (t) => {
    const { podium, ada } = await withBoards(t);
    await acts(podium, on('laps', ada, 83_456), on('main', ada, 5));
    const socket = await connect(podium.url, { token: viewer() });
    await ask(socket, 'subscribe_scoreboard', { board: 'laps', heartbeat: true });
    await ask(socket, 'subscribe_scoreboard', { board: 'weekly', heartbeat: true });
    const { seqs } = await nextEvent(socket, 'heartbeat');
    const weekly = await read(podium, '/boards/weekly/leaderboard');
    assert.deepEqual(seqs, { laps: 1, weekly: weekly.seq });
  });

  it('tell a player what happened on each board', async (t) => {
    const { podium, ada, grace } = await withBoards(t);
    const socket = await connect(podium.url, { token: player(ada) });
    assert.equal((await ask(socket, 'subscribe_user_score', { userId: ada })).ok, true);
    await nextEvent(socket, 'user_score_update');
    assert.equal((await ask(socket, 'subscribe_user_score', { userId: ada, board: 'laps' })).ok, true);
    await acts(podium, on('laps', ada, 83_456), on('laps', grace, 80_000));
    const own = await nextEvent(
      socket,
      'user_score_update',
      ({ board, score }) => board === 'laps' && score === 83_456,
    );
    assert.ok([1, 2].includes(own.rank));
    await acts(podium, on('main', ada, 5));
    const main = await nextEvent(socket, 'user_score_update', ({ score }) => score === 5);
    assert.ok(!('board' in main));
  });

  it('are told nothing of boards that they did not name', async (t) => {
    const { podium, ada } = await withBoards(t);
    const socket = await connect(podium.url, { token: player(ada) });
    await ask(socket, 'subscribe_scoreboard');
    await ask(socket, 'subscribe_user_score', ada);
    await acts(podium, on('laps', ada, 83_456));
    await acts(podium, on('main', ada, 5));
    await nextEvent(socket, 'leaderboard_refresh', (it) => it.topScores[0]?.score === 5);
    await nextEvent(socket, 'user_score_update', ({ score }) => score === 5);
    await roundTrip(socket);
    for (const name of [
      'leaderboard_refresh',
      'scoreboard_update',
      'batch_update',
      'user_score_update',
      'scoreboard_delta',
      'heartbeat',
    ]) {
      assert.doesNotMatch(JSON.stringify(received(socket, name)), /"board"|83456|tiebreak/, name);
    }
  });

  it('learn that a board was deleted', async (t) => {
    const { podium } = await withBoards(t);
    const socket = await connect(podium.url, { token: viewer() });
    await ask(socket, 'subscribe_scoreboard', { board: 'laps' });
    await call(podium, 'DELETE', '/boards/laps?confirm=laps', undefined, admin);
    const error = await nextEvent(socket, 'error');
    assert.equal(error.code, 'UNKNOWN_BOARD');
    assert.match(error.message, /laps/);
  });
});

describe('private and unlisted boards', () => {
  it('are as if they were not there for those who may not see them', async (t) => {
    const { podium, ada } = await withBoards(t);
    await put(podium, '/boards/staff', { title: 'Staff only', visibility: 'private' });
    await put(podium, '/boards/by-link', { title: 'By link', visibility: 'unlisted' });
    await put(podium, '/boards/of-staff', { of: 'staff', visibility: 'private' });
    await acts(podium, on('staff', ada, 77), on('by-link', ada, 78));
    const paths = [
      '',
      '/leaderboard',
      `/leaderboard/around/${ada}`,
      '/users?q=ada',
      `/users/${ada}`,
      `/users/${ada}/history`,
      '/seasons',
    ];
    for (const as of [undefined, viewer()]) {
      for (const path of paths) {
        const there = await get(podium, `/boards/staff${path}`, as);
        expectProblem(there, 404);
        const nowhere = await get(podium, `/boards/nobod${path}`, as);
        const name = (text) => JSON.stringify(text).replaceAll(/staff|nobod/g, '…');
        assert.equal(name(there.body), name(nowhere.body), path);
      }
      const ids = (await read(podium, '/boards', as)).map(({ id }) => id);
      assert.ok(!ids.includes('staff') && !ids.includes('by-link'), `${ids}`);
      assert.deepEqual(await rows(podium, 'by-link', as), [['Ada', 78, 1]]);
    }
    for (const as of [player(ada), publisher, admin]) {
      for (const path of paths) await read(podium, `/boards/staff${path}`, as);
      const ids = (await read(podium, '/boards', as)).map(({ id }) => id);
      assert.ok(ids.includes('staff'));
      assert.equal(ids.includes('by-link'), as === admin);
    }

    const stranger = await connect(podium.url, { token: viewer() });
    const ack = await ask(stranger, 'subscribe_scoreboard', { board: 'staff' });
    expectRefusal(ack, 'There is no board staff');
    assert.equal(ack.error.code, 'UNKNOWN_BOARD');
    const signedIn = await connect(podium.url, { token: player(ada) });
    assert.equal((await ask(signedIn, 'subscribe_scoreboard', { board: 'staff' })).ok, true);
    const shown = await nextEvent(signedIn, 'leaderboard_refresh');
    assert.equal(shown.topScores[0].score, 77);
    assert.deepEqual(received(stranger, 'leaderboard_refresh'), []);
  });

  it('lose those who may not see them when they become private', async (t) => {
    const { podium, ada } = await withBoards(t);
    const stranger = await connect(podium.url, { token: viewer() });
    const signedIn = await connect(podium.url, { token: player(ada) });
    for (const socket of [stranger, signedIn]) {
      await ask(socket, 'subscribe_scoreboard', { board: 'laps' });
    }
    await put(podium, '/boards/laps', { ...LAPS, visibility: 'private' });
    const error = await nextEvent(stranger, 'error');
    assert.equal(error.code, 'UNKNOWN_BOARD');
    await acts(podium, on('laps', ada, 83_456));
    await nextEvent(signedIn, 'leaderboard_refresh', (it) => it.topScores[0]?.score === 83_456);
    await roundTrip(stranger);
    assert.doesNotMatch(JSON.stringify(received(stranger, 'leaderboard_refresh')), /83456/);
  });

  it('may be main too', async (t) => {
    const { podium, ada } = await withBoards(t);
    await acts(podium, on('main', ada, 77));
    const main = await read(podium, '/boards/main');
    const { id, epoch, seq, totalUsers, ...settings } = main;
    assert.deepEqual([id, typeof epoch, seq, totalUsers], ['main', 'string', 4, 3]);
    // What is derived from it would show what it holds.
    for (const [id, derived] of [['weekly', WEEKLY], ['teams', TEAMS]]) {
      const refused = await call(podium, 'PUT', '/boards/main', { ...settings, visibility: 'private' }, admin);
      expectProblem(refused, 409);
      await put(podium, `/boards/${id}`, { ...derived, visibility: 'private' });
    }
    await put(podium, '/boards/main', { ...settings, visibility: 'private' });
    for (const as of [undefined, viewer()]) {
      for (const path of [
        '/leaderboard',
        `/leaderboard/around/${ada}`,
        `/users/${ada}`,
        `/users/${ada}/history`,
        '/users?q=ada',
        '/boards/main',
        '/boards/main/leaderboard',
      ]) {
        expectProblem(await get(podium, path, as), 404);
      }
    }
    assert.equal((await read(podium, '/leaderboard', player(ada))).topScores[0].score, 77);
    const socket = await connect(podium.url, { token: viewer() });
    assert.equal((await ask(socket, 'subscribe_scoreboard')).ok, false);
    await roundTrip(socket);
    assert.deepEqual(received(socket, 'leaderboard_refresh'), []);
  });
});

describe('teams and groups', () => {
  it('are those that people are in when they act', async (t) => {
    const { podium, north, south, ada, grace, alan } = await withBoards(t);
    await put(podium, '/boards/juniors', { of: 'main', group: 'U18' });
    await put(podium, '/boards/goals', { of: 'main', types: ['goal'] });
    await put(podium, `/users/${grace}`, { username: 'Grace', groups: ['U18', 'U18', 'coaches'] });
    await acts(
      podium,
      on('main', ada, 30),
      on('main', grace, 10, { actionType: 'goal' }),
      on('main', alan, 20),
    );
    // What is not said stays: Grace is of the north still.
    assert.deepEqual(await rows(podium, 'teams'), [
      ['North', 40, 1],
      ['South', 20, 2],
    ]);
    assert.deepEqual(await rows(podium, 'juniors'), [['Grace', 10, 1]]);
    assert.deepEqual(await rows(podium, 'goals'), [['Grace', 10, 1]]);

    await put(podium, `/users/${ada}`, { username: 'Ada', team: south });
    await put(podium, `/users/${grace}`, { username: 'Grace', groups: [], team: null });
    await acts(podium, on('main', ada, 5), on('main', grace, 4));
    const teams = [
      ['North', 40, 1],
      ['South', 25, 2],
    ];
    assert.deepEqual(await rows(podium, 'teams'), teams);
    assert.deepEqual(await rows(podium, 'juniors'), [['Grace', 10, 1]]);
    // One that is made now has been so all along.
    await put(podium, '/boards/teams-2', TEAMS);
    await put(podium, '/boards/juniors-2', { of: 'main', group: 'U18' });
    assert.deepEqual(await rows(podium, 'teams-2'), teams);
    assert.deepEqual(await rows(podium, 'juniors-2'), [['Grace', 10, 1]]);
    assert.deepEqual(
      (await read(podium, '/boards/teams-2/leaderboard')).topScores.map(({ userId }) => userId),
      [north, south],
    );
  });
});

describe('hiding a person', () => {
  /** The rank of somebody from every way out that has one, by the way's name. */
  async function ranks(podium, board, user) {
    const at = `/boards/${board}`;
    const rankIn = ({ topScores }) => topScores.find((row) => row.userId === user)?.rank;
    const socket = await connect(podium.url, { token: player(user) });
    await ask(socket, 'subscribe_scoreboard', { board });
    await ask(socket, 'subscribe_user_score', { userId: user, board });
    const own = ({ board: of = 'main' }) => of === board;
    const refresh = await frame(socket, 'leaderboard_refresh', own);
    const update = await frame(socket, 'user_score_update', own);
    socket.disconnect();
    const found = await read(podium, `${at}/users?q=Bob`);
    const page = await request(podium.url, 'GET', board === 'main' ? '/' : `/b/${board}`);
    return {
      board: rankIn(await read(podium, `${at}/leaderboard`)),
      around: rankIn(await read(podium, `${at}/leaderboard/around/${user}`)),
      user: (await read(podium, `${at}/users/${user}`)).rank,
      history: (await read(podium, `${at}/users/${user}/history`)).rank,
      search: found.users.find(({ userId }) => userId === user)?.rank,
      refresh: rankIn(refresh),
      update: update.rank,
      page: page.body.includes('Alice') ? 2 : 1,
    };
  }

  const each = (rank) => {
    const ways = ['board', 'around', 'user', 'history', 'search', 'refresh', 'update', 'page'];
    return Object.fromEntries(ways.map((way) => [way, rank]));
  };

  it('takes them off every board and view, and back with all points', async (t) => {
    const podium = await podiumForTest(t);
    const alice = await person(podium, 'Alice');
    const bob = await person(podium, 'Bob');
    const carl = await person(podium, 'Carl');
    await put(podium, '/boards/weekly', WEEKLY);
    await put(podium, '/boards/laps', { direction: 'lowest', operator: 'best' });
    await acts(
      podium,
      on('main', alice, 300),
      on('main', bob, 200),
      on('main', carl, 100),
      on('laps', alice, 1),
      on('laps', bob, 2),
      on('laps', carl, 3),
    );
    const boards = ['main', 'weekly', 'laps'];
    for (const board of boards) assert.deepEqual(await ranks(podium, board, bob), each(2), board);

    const watcher = await connect(podium.url, { token: viewer() });
    for (const board of boards) await ask(watcher, 'subscribe_scoreboard', { board });
    const standing = (hidden) => call(podium, 'PUT', `/users/${alice}/standing`, { hidden }, admin);
    assert.equal((await standing(true)).status, 204);
    const of = (board, count) => (it) => (it.board ?? 'main') === board && it.totalUsers === count;
    for (const board of boards) {
      const shown = await frame(watcher, 'leaderboard_refresh', of(board, 2));
      assert.doesNotMatch(JSON.stringify(shown), /Alice/);
      assert.deepEqual(await ranks(podium, board, bob), each(1), board);
      const at = `/boards/${board}`;
      assert.deepEqual((await read(podium, `${at}/users?q=Alice`)).users, []);
      expectProblem(await get(podium, `${at}/leaderboard/around/${alice}`), 404);
      const text = JSON.stringify(await read(podium, `${at}/users/${bob}/history`));
      assert.doesNotMatch(text, /Alice/);
      const own = await read(podium, `${at}/users/${alice}/history`);
      assert.deepEqual([own.history, own.recent, own.bestRank], [[], [], null], board);
    }
    // What is theirs counts on meanwhile, and nobody sees it.
    await acts(podium, on('main', alice, 7));
    assert.deepEqual(await ranks(podium, 'main', bob), each(1));
    await put(podium, '/boards/made-now', { of: 'main' });
    assert.deepEqual(await rows(podium, 'made-now'), [
      ['Bob', 200, 1],
      ['Carl', 100, 2],
    ]);

    assert.equal((await standing(false)).status, 204);
    for (const board of boards) assert.deepEqual(await ranks(podium, board, bob), each(2), board);
    for (const board of ['main', 'weekly', 'made-now']) {
      assert.deepEqual((await rows(podium, board))[0], ['Alice', 307, 1], board);
    }
  });

  it('tells them that they have no rank, wherever they stood', async (t) => {
    const podium = await podiumForTest(t, { env: { PODIUM_BOARD__TOP: '1' } });
    const ids = [];
    for (const name of ['Alice', 'Bob', 'Carl', 'Dora']) ids.push(await person(podium, name));
    const socket = await connect(podium.url, { token: player(ids[2]) });
    await acts(podium, ...ids.map((id, i) => on('main', id, 300 - i)));
    // What follows is no part of the same tick.
    await frame(socket, 'user_score_update', ({ rank, score }) => rank === 3 && score === 298);
    await call(podium, 'PUT', `/users/${ids[2]}/standing`, { hidden: true }, admin);
    const gone = await nextEvent(socket, 'user_score_update', ({ rank }) => rank === null);
    assert.deepEqual([gone.rank, gone.score, gone.actionType], [null, 298, 'RANK_CHANGE']);
  });
});

describe('seasons', () => {
  /** A server whose clock starts then. */
  const startingAt = (time, database) => ({
    database,
    env: {
      LD_PRELOAD: '/usr/$LIB/faketime/libfaketime.so.1',
      FAKETIME: `@${time}`,
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      TZ: 'UTC',
    },
  });
  const W43 = '2026-10-25T23:00:00.000Z';
  /** Waits until the season of a server that was down at its end has ended. */
  async function seasonEnds(podium, board) {
    const socket = await connect(podium.url, { token: viewer() });
    await ask(socket, 'subscribe_scoreboard', { board });
    await frame(socket, 'leaderboard_refresh', ({ totalUsers }) => totalUsers === 0);
  }
  const TEAM_WEEK = { of: 'main', by: 'team', period: WEEKLY.period };

  it('end by themselves, once, and their standings stay', async (t) => {
    const podium = await podiumForTest(t, startingAt('2026-10-25 22:59:45'));
    const [clubA, clubB] = [await team(podium, 'A'), await team(podium, 'B')];
    const p = await person(podium, 'Paula', { team: clubA });
    const q = await person(podium, 'Quentin');
    await put(podium, '/boards/weekly', WEEKLY);
    await put(podium, '/boards/club-week', TEAM_WEEK);
    await put(podium, '/boards/clubs', { of: 'main', by: 'team' });
    await acts(podium, on('main', p, 30), on('main', q, 40));
    const running = await read(podium, '/boards/weekly');
    assert.deepEqual(running.season, { number: 1, name: '2026-W43', ends: W43 });
    assert.deepEqual(await read(podium, '/boards/weekly/seasons'), []);
    expectProblem(await get(podium, '/boards/weekly/seasons/1/leaderboard'), 404);
    const socket = await connect(podium.url, { token: token({ user: p, claims: LASTING }) });
    await ask(socket, 'subscribe_scoreboard', { board: 'weekly' });

    // Nobody does anything: the clock does.
    await frame(socket, 'leaderboard_refresh', ({ board, totalUsers, seq }) => {
      return board === 'weekly' && totalUsers === 0 && seq > running.seq;
    });
    assert.deepEqual(await rows(podium, 'weekly'), []);
    const next = (await read(podium, '/boards/weekly')).season;
    assert.deepEqual(next, { number: 2, name: '2026-W44', ends: '2026-11-01T23:00:00.000Z' });
    const ended = [{ number: 1, name: '2026-W43', ended: W43 }];
    assert.deepEqual(await read(podium, '/boards/weekly/seasons'), ended);
    const final = await read(podium, '/boards/weekly/seasons/1/leaderboard');
    const { topScores, ...about } = final;
    assert.deepEqual(about, { ...ended[0], board: 'weekly', totalUsers: 2 });
    const shown = (list) => list.map(({ username, score, rank }) => [username, score, rank]);
    assert.deepEqual(shown(topScores), [
      ['Quentin', 40, 1],
      ['Paula', 30, 2],
    ]);
    for (const path of ['seasons/2', 'seasons/0', 'seasons/99']) {
      expectProblem(await get(podium, `/boards/weekly/${path}/leaderboard`), 404);
    }
    expectProblem(await get(podium, '/boards/weekly/seasons/x/leaderboard'), 400, 404);
    expectProblem(await get(podium, '/boards/nowhere/seasons/1/leaderboard'), 404);

    await put(podium, `/users/${p}`, { username: 'Paula', team: clubB });
    await acts(podium, on('main', p, 5));
    await podium.stop();

    const again = await podiumForTest(t, startingAt('2026-10-26 08:00:00', podium.database));
    await put(again, '/boards/club-week-2', TEAM_WEEK);
    await put(again, '/boards/clubs-2', { of: 'main', by: 'team' });
    for (const board of ['club-week', 'club-week-2']) {
      assert.deepEqual(await read(again, `/boards/${board}/seasons`), ended);
      const { topScores } = await read(again, `/boards/${board}/seasons/1/leaderboard`);
      assert.deepEqual(shown(topScores), [['A', 30, 1]], board);
      assert.deepEqual(await rows(again, board), [['B', 5, 1]], board);
    }
    for (const board of ['clubs', 'clubs-2']) {
      assert.deepEqual(await rows(again, board), [
        ['A', 30, 1],
        ['B', 5, 2],
      ]);
    }
    assert.deepEqual(await read(again, '/boards/weekly/seasons/1/leaderboard'), final);
    assert.deepEqual(await rows(again, 'main'), [
      ['Quentin', 40, 1],
      ['Paula', 35, 2],
    ]);
  });

  it('that have ended have no gap where somebody is hidden', async (t) => {
    const podium = await podiumForTest(t, startingAt('2026-10-25 22:50:00'));
    await put(podium, '/boards/weekly', { ...WEEKLY, ties: 'competition' });
    const people = ['Alice', 'Bob', 'Carl', 'Dora'];
    const ids = [];
    for (const name of people) ids.push(await person(podium, name));
    const scores = [300, 200, 200, 100];
    await acts(podium, ...ids.map((id, i) => on('main', id, scores[i])));
    await podium.stop();
    const later = await podiumForTest(t, startingAt('2026-10-26 08:00:00', podium.database));
    await seasonEnds(later, 'weekly');
    const final = async () => {
      const { topScores } = await read(later, '/boards/weekly/seasons/1/leaderboard');
      return topScores.map(({ username, rank }) => [username, rank]);
    };
    const all = [
      ['Alice', 1],
      ['Bob', 2],
      ['Carl', 2],
      ['Dora', 4],
    ];
    assert.deepEqual(await final(), all);
    const hide = (i, hidden) =>
      call(later, 'PUT', `/users/${ids[i]}/standing`, { hidden }, admin);
    await hide(0, true);
    assert.deepEqual(await final(), [
      ['Bob', 1],
      ['Carl', 1],
      ['Dora', 3],
    ]);
    await hide(2, true);
    assert.deepEqual(await final(), [
      ['Bob', 1],
      ['Dora', 2],
    ]);
    await hide(0, false);
    await hide(2, false);
    assert.deepEqual(await final(), all);
    // Who has the id of somebody who is gone had no part in it.
    const gone = await call(later, 'DELETE', `/users/${ids[3]}`, undefined, admin);
    assert.equal(gone.status, 204);
    assert.deepEqual(await final(), all.slice(0, 3));
    await call(later, 'PUT', `/users/${ids[3]}`, { username: 'Dora again' }, admin);
    assert.deepEqual(await final(), all.slice(0, 3));
  });

  it('that end while somebody is hidden have their result when they are back', async (t) => {
    const podium = await podiumForTest(t, startingAt('2026-10-25 22:50:00'));
    await put(podium, '/boards/weekly', WEEKLY);
    const alice = await person(podium, 'Alice');
    const bob = await person(podium, 'Bob');
    await acts(podium, on('main', alice, 300), on('main', bob, 200));
    await call(podium, 'PUT', `/users/${alice}/standing`, { hidden: true }, admin);
    await podium.stop();
    const later = await podiumForTest(t, startingAt('2026-10-26 08:00:00', podium.database));
    await seasonEnds(later, 'weekly');
    const final = async () => {
      const { topScores } = await read(later, '/boards/weekly/seasons/1/leaderboard');
      return topScores.map(({ username, score, rank }) => [username, score, rank]);
    };
    assert.deepEqual(await final(), [['Bob', 200, 1]]);
    await call(later, 'PUT', `/users/${alice}/standing`, { hidden: false }, admin);
    assert.deepEqual(await final(), [
      ['Alice', 300, 1],
      ['Bob', 200, 2],
    ]);
  });
});
