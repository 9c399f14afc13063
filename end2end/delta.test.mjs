// Delta mode and pages: what `subscribe_scoreboard` takes and brings beside the
// plain board, rule by rule.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { before, describe, it } from 'node:test';

import { expectDelta, expectLeaderboard, expectRefusal } from './support/expect.mjs';
import { act, actAll, leaderboard, putUser, startPodium, token } from './support/podium.mjs';
import { openPolling } from './support/polling.mjs';
import { ask, connect, nextEvent, received, roundTrip } from './support/socket.mjs';
import { podiumForSuite, podiumForTest } from './support/suite.mjs';
import { BoardView } from './support/view.mjs';

const PAGE = 50;
const INVALID = 'Invalid message format';
/** Tests may say more than people do. */
const TALKATIVE = { PODIUM_LIMITS__EVENTS_PER_MINUTE: '10000' };

const newViewer = (podium, options) =>
  connect(podium.url, { token: token({ user: randomUUID(), role: 'viewer' }), ...options });

/** Registered users, each with the points by the name. */
async function newUsers(podium, points) {
  const users = {};
  for (const [name, score] of Object.entries(points)) {
    users[name] = randomUUID();
    await putUser(podium.url, users[name], name);
    await act(podium.url, { userId: users[name], scoreIncrease: score });
  }
  return users;
}

/** Gives a visible user a point, and returns when all frames of it have been sent. */
async function settle(podium, userId) {
  const witness = await newViewer(podium);
  witness.emit('subscribe_scoreboard');
  await nextEvent(witness, 'leaderboard_refresh');
  const { seq } = await act(podium.url, { userId, scoreIncrease: 1 });
  await nextEvent(witness, 'leaderboard_refresh', (board) => board.seq >= seq);
  await roundTrip(witness);
  witness.disconnect();
}

/** A server with a board of three to which nobody listens, and nothing left to tell. */
async function boardOfThree(t, env = {}) {
  const podium = await podiumForTest(t, { env: { ...TALKATIVE, ...env } });
  const users = await newUsers(podium, { Ada: 29, Grace: 20, Alan: 10 });
  await settle(podium, users.Ada);
  return { podium, users };
}

/** A viewer in delta mode whose view follows what comes; `ignore` drops deltas. */
async function follow(podium, { page, view = new BoardView(), ignore = () => false } = {}) {
  const socket = await newViewer(podium);
  const follower = { socket, view, outcomes: [] };
  const wanted = { mode: 'delta', ...(page !== undefined && { page }) };
  const subscribe = () => socket.emit('subscribe_scoreboard', { ...wanted, ...view.position });
  socket.on('leaderboard_refresh', (board) => follower.outcomes.push(view.refresh(board)));
  socket.on('scoreboard_delta', (delta) => {
    if (ignore(delta)) return;
    const outcome = view.delta(delta);
    follower.outcomes.push(outcome);
    if (outcome === 'gap') subscribe();
  });
  subscribe();
  await roundTrip(socket);
  return follower;
}

/** Waits until the view holds this entry of the log. */
async function caughtUp({ socket, view }, { seq }) {
  while (!(view.seq >= seq)) await nextEvent(socket, 'scoreboard_delta');
}

/** The view is what HTTP tells of the same rows. */
async function expectView(podium, { view }, query = '') {
  const { topScores, totalUsers } = await leaderboard(podium.url, query);
  assert.deepEqual([view.rows, view.totalUsers], [topScores, totalUsers]);
}

/** Acts for a user, and returns when the follower has it: one tick each. */
async function actInFrontOf(podium, follower, userId, scoreIncrease) {
  const answer = await act(podium.url, { userId, scoreIncrease });
  await caughtUp(follower, answer);
  return answer;
}

const pageQuery = (page) => `?limit=${PAGE}&offset=${PAGE * page}`;

describe('subscribe_scoreboard in delta mode', () => {
  it('brings the whole board first', async (t) => {
    const { podium } = await boardOfThree(t);
    const viewer = await newViewer(podium);
    assert.equal((await ask(viewer, 'subscribe_scoreboard', { mode: 'delta' })).ok, true);
    const board = await nextEvent(viewer, 'leaderboard_refresh');
    expectLeaderboard(board);
    assert.deepEqual(board, await leaderboard(podium.url));
    await roundTrip(viewer);
    assert.deepEqual(received(viewer, 'scoreboard_delta'), []);
  });

  it('then the changed rows alone, with nothing that is known', async (t) => {
    const { podium, users } = await boardOfThree(t);
    const follower = await follow(podium);
    const before = follower.view.seq;
    const answer = await act(podium.url, { userId: users.Alan, scoreIncrease: 15 });
    const delta = await nextEvent(follower.socket, 'scoreboard_delta');
    expectDelta(delta);
    const { changes, from, to, ...rest } = delta;
    assert.deepEqual(
      changes.toSorted((a, b) => a.index - b.index),
      [
        { userId: users.Alan, index: 1, score: 25, rank: 2 },
        { userId: users.Grace, index: 2, score: 20, rank: 3 },
      ],
    );
    assert.ok(from <= before, `${from}, and ${before} was shown`);
    assert.equal(to, answer.seq);
    const { epoch, totalUsers, lastUpdated } = await leaderboard(podium.url);
    assert.deepEqual(rest, { epoch, totalUsers, lastUpdated });
    await expectView(podium, follower);
  });

  it('tells who came and who went', async (t) => {
    const { podium, users } = await boardOfThree(t, { PODIUM_BOARD__TOP: '2' });
    const follower = await follow(podium);
    await actInFrontOf(podium, follower, users.Alan, 15);
    const [{ changes }] = received(follower.socket, 'scoreboard_delta');
    const byName = (a, b) => a.userId.localeCompare(b.userId);
    const expected = [
      { userId: users.Alan, index: 1, score: 25, rank: 2, username: 'Alan' },
      { userId: users.Grace, gone: true },
    ];
    assert.deepEqual(changes.toSorted(byName), expected.toSorted(byName));
    await expectView(podium, follower);
  });

  it('tells a new name, a picture, and that there is none any more', async (t) => {
    const { podium, users } = await boardOfThree(t);
    const follower = await follow(podium);
    const avatar = 'https://example.org/ada.png';
    const steps = [
      { put: ['Ada Lovelace'], told: { username: 'Ada Lovelace' } },
      { put: ['Ada Lovelace', avatar], told: { avatar } },
      { put: ['Ada Lovelace'], told: { avatar: null } },
    ];
    for (const { put, told } of steps) {
      await putUser(podium.url, users.Ada, ...put);
      const { changes } = await nextEvent(follower.socket, 'scoreboard_delta');
      assert.equal(changes.length, 1);
      // Name and picture may come together, whichever of them is another.
      const { username = put[0], avatar = put[1] ?? null, ...rest } = { ...changes[0] };
      assert.deepEqual(rest, { userId: users.Ada, index: 0, score: 30, rank: 1 });
      assert.deepEqual([username, avatar], [put[0], put[1] ?? null]);
      for (const [name, value] of Object.entries(told)) assert.equal(changes[0][name], value);
      await expectView(podium, follower);
    }
  });

  it('tells a new total where no row has changed', async (t) => {
    const { podium } = await boardOfThree(t, { PODIUM_BOARD__TOP: '1' });
    const follower = await follow(podium);
    await putUser(podium.url, randomUUID(), 'Last');
    const { from, to, changes, totalUsers } = await nextEvent(follower.socket, 'scoreboard_delta');
    assert.deepEqual({ changes, totalUsers }, { changes: [], totalUsers: 4 });
    assert.ok(from < to, `${from} … ${to}`);
  });

  it('begins each delta where the last one ended', async (t) => {
    const { podium, users } = await boardOfThree(t, { PODIUM_BOARD__TOP: '2' });
    const follower = await follow(podium);
    const began = follower.view.seq;
    for (const points of [1, 2, 3]) {
      // The first is below the visible rows, so that `seq` rises and nothing is told.
      await act(podium.url, { userId: users.Alan, scoreIncrease: -1 });
      await actInFrontOf(podium, follower, users.Ada, points);
    }
    const deltas = received(follower.socket, 'scoreboard_delta');
    assert.ok(deltas[0].from <= began);
    const ends = deltas.map(({ to }) => to);
    assert.deepEqual(
      deltas.slice(1).map(({ from }) => from),
      ends.slice(0, -1),
    );
    assert.ok(deltas.every(({ from, to }) => from < to));
    assert.deepEqual(follower.outcomes, ['applied', ...deltas.map(() => 'applied')]);
  });

  it('brings deltas to those who asked for them, boards to the others, and events to both', async (t) => {
    const { podium, users } = await boardOfThree(t);
    const follower = await follow(podium);
    const plain = await newViewer(podium);
    const named = await newViewer(podium);
    assert.equal((await ask(plain, 'subscribe_scoreboard', null)).ok, true);
    assert.equal((await ask(named, 'subscribe_scoreboard', { mode: 'full' })).ok, true);

    const { seq } = await actInFrontOf(podium, follower, users.Ada, 5);
    const socketsOf = { delta: follower.socket, plain, named };
    for (const socket of Object.values(socketsOf)) await roundTrip(socket);
    const told = Object.entries(socketsOf).map(([name, socket]) => [
      name,
      received(socket, 'scoreboard_delta').map(({ to }) => to),
      received(socket, 'leaderboard_refresh').map((board) => board.seq).slice(1),
      received(socket, 'scoreboard_update').map((update) => update.seq),
    ]);
    assert.deepEqual(told, [
      ['delta', [seq], [], [seq]],
      ['plain', [], [seq], [seq]],
      ['named', [], [seq], [seq]],
    ]);
  });

  it('ends with unsubscribe_scoreboard', async (t) => {
    const { podium, users } = await boardOfThree(t);
    const [leaver, stayer] = [await follow(podium), await follow(podium)];
    assert.equal((await ask(leaver.socket, 'unsubscribe_scoreboard')).ok, true);
    await actInFrontOf(podium, stayer, users.Ada, 5);
    await roundTrip(leaver.socket);
    assert.deepEqual(leaver.outcomes, ['applied']);
    assert.deepEqual(received(leaver.socket, 'scoreboard_update'), []);
  });
});

describe('subscribing again', () => {
  const all = [{}, { mode: 'delta' }, { page: 0 }, { mode: 'delta', page: 0 }];
  for (const first of all) {
    for (const second of all.filter((other) => other !== first)) {
      it(`with ${JSON.stringify(second)} replaces ${JSON.stringify(first)}`, async (t) => {
        const { podium, users } = await boardOfThree(t);
        const follower = await follow(podium);
        const viewer = await newViewer(podium);
        await ask(viewer, 'subscribe_scoreboard', first);
        await ask(viewer, 'subscribe_scoreboard', second);
        const count = () => received(viewer, 'leaderboard_refresh').length;
        assert.equal(count(), 2);

        const { seq } = await actInFrontOf(podium, follower, users.Ada, 5);
        await roundTrip(viewer);
        const page = 'page' in second ? [second.page] : [undefined];
        const boards = received(viewer, 'leaderboard_refresh').slice(2);
        const deltas = received(viewer, 'scoreboard_delta');
        const inDeltas = second.mode === 'delta';
        const [told, others] = inDeltas ? [deltas, boards] : [boards, deltas];
        assert.deepEqual(others, []);
        assert.deepEqual(told.map((fact) => fact.page), page);
        assert.deepEqual(told.map((fact) => (inDeltas ? fact.to : fact.seq)), [seq]);
        const updates = received(viewer, 'scoreboard_update');
        assert.equal(updates.length, 'page' in second ? 0 : 1);
      });
    }
  }
});

describe('resuming', () => {
  /** What comes at once to somebody who was shown the board as of `position`. */
  async function resume(podium, position, more = {}) {
    const viewer = await newViewer(podium);
    const payload = { mode: 'delta', ...position, ...more };
    assert.equal((await ask(viewer, 'subscribe_scoreboard', payload)).ok, true);
    const deltas = received(viewer, 'scoreboard_delta');
    const boards = received(viewer, 'leaderboard_refresh');
    return { deltas, boards };
  }

  it('where nothing was missed brings an empty delta', async (t) => {
    const { podium } = await boardOfThree(t);
    const { view } = await follow(podium);
    const { deltas, boards } = await resume(podium, view.position);
    assert.deepEqual([deltas.length, boards.length], [1, 0]);
    expectDelta(deltas[0]);
    assert.deepEqual(deltas[0].changes, []);
    assert.ok(deltas[0].from <= view.seq && deltas[0].to >= view.seq);
  });

  it('brings everything that was missed as one delta', async (t) => {
    const { podium, users } = await boardOfThree(t);
    const witness = await follow(podium);
    const gone = await follow(podium);
    gone.socket.disconnect();
    const { position } = gone.view;
    for (const [name, points] of [['Grace', 5], ['Alan', 50], ['Alan', 1], ['Grace', 2]]) {
      await actInFrontOf(podium, witness, users[name], points);
    }
    assert.equal(received(witness.socket, 'scoreboard_delta').length, 4, 'four were missed');

    const { deltas, boards } = await resume(podium, position);
    assert.deepEqual([deltas.length, boards.length], [1, 0]);
    const [delta] = deltas;
    expectDelta(delta);
    assert.ok(delta.from <= position.seq, `${delta.from}, and ${position.seq} was shown`);
    assert.equal(delta.to, witness.view.seq);
    assert.equal(gone.view.delta(delta), 'applied');
    await expectView(podium, gone);
  });

  it('is live again from there', async (t) => {
    const { podium, users } = await boardOfThree(t);
    const gone = await follow(podium);
    gone.socket.disconnect();
    const back = await follow(podium, { view: gone.view });
    await actInFrontOf(podium, back, users.Alan, 100);
    assert.deepEqual(received(back.socket, 'leaderboard_refresh'), []);
    await expectView(podium, back);
  });

  it('brings what is right for whoever knows a part of it', async (t) => {
    const { podium, users } = await boardOfThree(t);
    const witness = await follow(podium);
    const { position } = witness.view;
    // What this one keeps is changed back later, and must be told all the same.
    await putUser(podium.url, users.Grace, 'Admiral Hopper', 'https://example.org/grace.png');
    await nextEvent(witness.socket, 'scoreboard_delta');
    await actInFrontOf(podium, witness, users.Alan, 100);
    const half = new BoardView();
    half.refresh(await leaderboard(podium.url));
    await putUser(podium.url, users.Grace, 'Grace');
    await nextEvent(witness.socket, 'scoreboard_delta', ({ to }) => to > half.seq);
    await actInFrontOf(podium, witness, users.Alan, -100);

    const { deltas } = await resume(podium, position);
    assert.equal(deltas.length, 1);
    assert.equal(half.delta(deltas[0]), 'applied');
    await expectView(podium, { view: half });
  });

  it('of somebody who came and went says that they are gone, if anything', async (t) => {
    const { podium, users } = await boardOfThree(t, { PODIUM_BOARD__TOP: '2' });
    const witness = await follow(podium);
    const { position } = witness.view;
    await actInFrontOf(podium, witness, users.Alan, 100);
    const half = new BoardView();
    half.refresh(await leaderboard(podium.url));
    await actInFrontOf(podium, witness, users.Alan, -100);

    const { deltas } = await resume(podium, position);
    assert.equal(half.delta(deltas[0]), 'applied');
    await expectView(podium, { view: half });
  });

  it('of somebody who came back without their picture says that there is none', async (t) => {
    const { podium, users } = await boardOfThree(t, { PODIUM_BOARD__TOP: '2' });
    const witness = await follow(podium);
    await putUser(podium.url, users.Grace, 'Grace', 'https://example.org/grace.png');
    await nextEvent(witness.socket, 'scoreboard_delta');
    const before = new BoardView();
    before.refresh(await leaderboard(podium.url));
    await actInFrontOf(podium, witness, users.Alan, 100);
    await putUser(podium.url, users.Grace, 'Grace');
    await actInFrontOf(podium, witness, users.Grace, 200);
    await expectView(podium, witness);

    const { deltas } = await resume(podium, before.position);
    assert.equal(before.delta(deltas[0]), 'applied');
    await expectView(podium, { view: before });
  });

  const elsewhere = {
    'another epoch': ({ seq }) => ({ epoch: 'another', seq }),
    'an entry that is not there yet': ({ epoch, seq }) => ({ epoch, seq: seq + 1000 }),
  };
  for (const [where, position] of Object.entries(elsewhere)) {
    it(`from ${where} brings the whole board`, async (t) => {
      const { podium } = await boardOfThree(t);
      const { view } = await follow(podium);
      const { deltas, boards } = await resume(podium, position(view.position));
      assert.deepEqual(deltas, []);
      assert.deepEqual(boards, [await leaderboard(podium.url)]);
    });
  }

  it('after a restart brings the view to what is now', async (t) => {
    const first = await startPodium();
    t.after(() => first.kill());
    const users = await newUsers(first, { Ada: 30, Grace: 20 });
    const follower = await follow(first);
    const answer = await act(first.url, { userId: users.Grace, scoreIncrease: 100 });
    await first.kill();

    const second = await podiumForTest(t, { database: first.database });
    const { deltas, boards } = await resume(second, follower.view.position);
    assert.equal(deltas.length + boards.length, 1);
    deltas.forEach((delta) => follower.view.delta(delta));
    boards.forEach((board) => follower.view.refresh(board));
    assert.ok(follower.view.seq >= answer.seq);
    await expectView(second, follower);
  });

  it('of a page brings what was missed of that page', async (t) => {
    const { podium, users } = await boardOfThree(t);
    const witness = await follow(podium, { page: 0 });
    const gone = await follow(podium, { page: 0 });
    gone.socket.disconnect();
    await actInFrontOf(podium, witness, users.Alan, 100);
    const { deltas, boards } = await resume(podium, gone.view.position, { page: 0 });
    assert.deepEqual([deltas.length, boards.length], [1, 0]);
    expectDelta(deltas[0], { page: 0 });
    assert.equal(gone.view.delta(deltas[0]), 'applied');
    await expectView(podium, gone);
  });
});

describe('a lost delta', () => {
  it('shows as a gap, is asked for, and nothing is shown before it', async (t) => {
    const { podium, users } = await boardOfThree(t);
    const witness = await follow(podium);
    let lost;
    const follower = await follow(podium, { ignore: (delta) => !lost && (lost = delta) });
    const before = structuredClone(follower.view.rows);
    await actInFrontOf(podium, witness, users.Alan, 100);
    await roundTrip(follower.socket);
    assert.deepEqual(follower.view.rows, before);
    const answer = await actInFrontOf(podium, witness, users.Grace, 100);
    await caughtUp(follower, answer);
    assert.deepEqual(follower.outcomes, ['applied', 'gap', 'applied']);
    await expectView(podium, follower);
  });
});

describe('pages', () => {
  const USERS = 2 * PAGE + 20;

  /** A board of two pages and a part of a third; users in order. */
  async function boardOfPages(t) {
    const podium = await podiumForTest(t, { env: TALKATIVE });
    const users = Array.from({ length: USERS }, () => randomUUID());
    await Promise.all(users.map((user, i) => putUser(podium.url, user, `Player ${i}`)));
    const points = (userId, i) => ({ userId, scoreIncrease: 10 * (USERS - i) });
    await actAll(podium.url, users.map(points));
    await settle(podium, users[0]);
    return { podium, users };
  }

  it('hold fifty rows each, in either mode', async (t) => {
    const { podium, users } = await boardOfPages(t);
    for (const [page, from, to] of [[0, 1, 50], [1, 51, 100], [2, 101, 120]]) {
      for (const mode of ['full', 'delta']) {
        const viewer = await newViewer(podium);
        await ask(viewer, 'subscribe_scoreboard', { mode, page });
        const board = await nextEvent(viewer, 'leaderboard_refresh');
        expectLeaderboard(board, { page });
        assert.deepEqual(
          board.topScores.map(({ userId, rank }) => [userId, rank]),
          users.slice(from - 1, to).map((user, i) => [user, from + i]),
        );
        assert.deepEqual(board, { ...(await leaderboard(podium.url, pageQuery(page))), page });
      }
    }
  });

  it('beyond the last are empty, and know the total', async (t) => {
    const { podium } = await boardOfPages(t);
    for (const page of [3, 1_000_000, Number.MAX_SAFE_INTEGER]) {
      const viewer = await newViewer(podium);
      await ask(viewer, 'subscribe_scoreboard', { page });
      const board = await nextEvent(viewer, 'leaderboard_refresh');
      expectLeaderboard(board, { page });
      assert.deepEqual([board.topScores, board.totalUsers], [[], USERS]);
    }
  });

  it('are told what changes on them, and nothing else', async (t) => {
    const { podium, users } = await boardOfPages(t);
    const top = await follow(podium);
    const pages = [];
    for (const page of [0, 1, 2]) pages.push(await follow(podium, { page }));
    const full = await newViewer(podium);
    await ask(full, 'subscribe_scoreboard', { page: 1 });

    // Within the second page.
    const { seq } = await act(podium.url, { userId: users[60], scoreIncrease: 1 });
    await caughtUp(pages[1], { seq });
    for (const { socket } of [top, ...pages]) await roundTrip(socket);
    await roundTrip(full);
    const deltas = (follower) => received(follower.socket, 'scoreboard_delta');
    assert.deepEqual([top, pages[0], pages[2]].flatMap(deltas), []);
    const [delta] = deltas(pages[1]);
    expectDelta(delta, { page: 1 });
    assert.deepEqual(delta.changes, [{ userId: users[60], index: 10, score: 601, rank: 61 }]);
    const boards = received(full, 'leaderboard_refresh');
    assert.deepEqual(boards.map((board) => [board.page, board.seq]).slice(1), [[1, seq]]);
    assert.deepEqual(boards.at(-1).topScores, pages[1].view.rows);

    // From the third page to the first place.
    const answer = await act(podium.url, { userId: users[110], scoreIncrease: 100_000 });
    for (const follower of [top, ...pages]) await caughtUp(follower, answer);
    await expectView(podium, top);
    for (const [page, follower] of pages.entries()) {
      await expectView(podium, follower, pageQuery(page));
      assert.ok(deltas(follower).every((told) => told.page === page));
    }
    assert.ok(deltas(top).every((told) => !('page' in told)));
    await roundTrip(full);
    for (const { socket } of [...pages, { socket: full }]) {
      assert.deepEqual(received(socket, 'scoreboard_update'), []);
      assert.deepEqual(received(socket, 'batch_update'), []);
    }
    assert.ok(received(top.socket, 'batch_update').length > 0);
  });

  it('grow and come into being', async (t) => {
    const { podium } = await boardOfPages(t);
    const [last, next] = [await follow(podium, { page: 2 }), await follow(podium, { page: 3 })];
    const more = Array.from({ length: 31 }, () => randomUUID());
    await Promise.all(more.map((user, i) => putUser(podium.url, user, `New ${i}`)));
    const { seq } = await leaderboard(podium.url);
    for (const follower of [last, next]) await caughtUp(follower, { seq });
    assert.deepEqual([last.view.rows.length, next.view.rows.length], [50, 1]);
    await expectView(podium, last, pageQuery(2));
    await expectView(podium, next, pageQuery(3));
  });

  it('end with unsubscribe_scoreboard', async (t) => {
    const { podium, users } = await boardOfPages(t);
    const [leaver, stayer] = [await follow(podium, { page: 1 }), await follow(podium, { page: 1 })];
    await ask(leaver.socket, 'unsubscribe_scoreboard');
    await actInFrontOf(podium, stayer, users[60], 1);
    await roundTrip(leaver.socket);
    assert.deepEqual(leaver.outcomes, ['applied']);
  });
});

describe('a subscription of the wrong shape', () => {
  const podium = podiumForSuite({ env: TALKATIVE });
  const position = { epoch: 'e', seq: 1 };
  const wrong = [
    [42],
    ['delta'],
    [[]],
    [{ mode: 'delta' }, { page: 1 }],
    [{ mode: 'sideways' }],
    [{ mode: 'Delta' }],
    [{ mode: 1 }],
    [{ page: -1 }],
    [{ page: 1.5 }],
    [{ page: '1' }],
    [{ page: [1] }],
    [{ mode: 'delta', page: -1 }],
    [{ mode: 'delta', seq: 1 }],
    [{ mode: 'delta', epoch: 'e' }],
    [{ mode: 'delta', epoch: 'e', seq: -1 }],
    [{ mode: 'delta', epoch: 'e', seq: 1.5 }],
    [{ mode: 'delta', epoch: 'e', seq: '1' }],
    [{ mode: 'delta', epoch: 7, seq: 1 }],
    [{ mode: 'full', ...position }],
    [position],
    [{ page: 1, ...position }],
    [{ mode: 'delta', more: true }],
    [{ more: true }],
  ];
  let ada;
  before(async () => {
    ({ Ada: ada } = await newUsers(podium, { Ada: 1 }));
    // Whoever comes right after a change is shown all rows twice.
    await actInFrontOf(podium, await follow(podium), ada, 1);
  });

  for (const payload of wrong) {
    it(`is refused, and what is watched stays: ${JSON.stringify(payload)}`, async () => {
      const follower = await follow(podium);
      const { socket } = follower;
      expectRefusal(await ask(socket, 'subscribe_scoreboard', ...payload), INVALID);
      assert.deepEqual(await nextEvent(socket, 'error'), { message: INVALID });
      // It goes on in delta mode with the top N.
      await actInFrontOf(podium, follower, ada, 1);
      await roundTrip(socket);
      assert.equal(received(socket, 'leaderboard_refresh').length, 1);
      await expectView(podium, follower);
    });
  }

  it('subscribes to nothing', async () => {
    const witness = await follow(podium);
    const viewer = await newViewer(podium);
    for (const payload of wrong) await ask(viewer, 'subscribe_scoreboard', ...payload);
    await actInFrontOf(podium, witness, ada, 1);
    await roundTrip(viewer);
    assert.deepEqual(received(viewer, 'leaderboard_refresh'), []);
    assert.deepEqual(received(viewer, 'scoreboard_delta'), []);
  });
});

describe('a client in delta mode that has not read for long', () => {
  for (const page of [undefined, 0]) {
    const what = page === undefined ? 'the top N' : 'a page';
    it(`gets one step to the newest, and is live again: ${what}`, async (t) => {
      const { podium, users } = await boardOfThree(t);
      const witness = await follow(podium, { page });
      const slow = await openPolling(podium.url);
      const view = new BoardView();
      const facts = [];
      /** Reads what is there, or waits for something. */
      const read = async () => {
        for (const [name, payload] of await slow.read()) {
          if (name === 'leaderboard_refresh') facts.push([name, view.refresh(payload)]);
          if (name === 'scoreboard_delta') facts.push([name, view.delta(payload)]);
        }
      };
      await slow.connect(token({ user: randomUUID(), role: 'viewer' }));
      await slow.emit('subscribe_scoreboard', { mode: 'delta', ...(page !== undefined && { page }) });
      while (view.seq === undefined) await read();
      // Answers that it does not read fill all the places that it has.
      for (let i = 0; i < 20; i++) await slow.send(...Array(10).fill('42["ping"]'));
      facts.length = 0;

      for (const name of ['Alan', 'Grace', 'Alan', 'Ada', 'Alan', 'Grace']) {
        await actInFrontOf(podium, witness, users[name], 100);
      }
      while (view.seq < witness.view.seq) await read();
      assert.equal(facts.length, 1, JSON.stringify(facts));
      await expectView(podium, { view });

      const { seq } = await actInFrontOf(podium, witness, users.Ada, 1000);
      while (view.seq < seq) await read();
      assert.ok(facts.every(([, outcome]) => outcome !== 'gap'), JSON.stringify(facts));
      await expectView(podium, { view });
    });
  }
});
