// The Socket.IO contract, through the official client against the real server.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { before, describe, it } from 'node:test';

import { expectLeaderboard, expectRefusal, expectUserScoreUpdate } from './support/expect.mjs';
import {
  act,
  actAll,
  leaderboard,
  newUser,
  putUser,
  startPodium,
  token,
} from './support/podium.mjs';
import { ask, connect, connectError, nextEvent, received, roundTrip } from './support/socket.mjs';
import { podiumForSuite, podiumForTest } from './support/suite.mjs';

const TRANSPORTS = ['websocket', 'polling'];
const INVALID = 'Invalid message format';

/** A registered user who is online. */
async function newPlayer(podium, username, options) {
  const id = await newUser(podium, username);
  const socket = await connect(podium.url, { token: token({ user: id }), ...options });
  return { id, socket };
}

/** Somebody who only looks on. */
function newViewer(podium, options) {
  const viewer = token({ user: randomUUID(), role: 'viewer' });
  return connect(podium.url, { token: viewer, ...options });
}

/** Subscribes to the board; resolves to the board that comes at once. */
function subscribe(socket) {
  socket.emit('subscribe_scoreboard');
  return nextEvent(socket, 'leaderboard_refresh');
}

/** The first refresh that shows the board with this entry of the log. */
function refreshWith(socket, { seq }) {
  return nextEvent(socket, 'leaderboard_refresh', (board) => board.seq >= seq);
}

/** The refreshes so far that show the board with this entry of the log. */
function refreshesWith(socket, { seq }) {
  return received(socket, 'leaderboard_refresh').filter((board) => board.seq >= seq);
}

/** The update of one's own score by an action, not by somebody else's. */
function ownUpdate(socket, matches = () => true) {
  const own = (update) => update.actionType !== 'RANK_CHANGE' && matches(update);
  return nextEvent(socket, 'user_score_update', own);
}

function order(board) {
  return board.topScores.map(({ userId }) => userId);
}

for (const transport of TRANSPORTS) {
  describe(`the handshake over ${transport}`, () => {
    const podium = podiumForSuite();
    const player = randomUUID();
    const stranger = randomUUID();
    before(() => putUser(podium.url, player, 'Ada'));

    const accepted = {
      'a player by auth.token': { token: token({ user: player }) },
      'a player by the Authorization header': {
        extraHeaders: { Authorization: `Bearer ${token({ user: player })}` },
      },
      'a player by the claim userId instead of sub': {
        token: token({ claims: { userId: player } }),
      },
      'a token without a role as that of a player': {
        token: token({ user: player, claims: { role: undefined } }),
      },
      'a viewer who is not registered': { token: token({ user: stranger, role: 'viewer' }) },
    };
    for (const [who, options] of Object.entries(accepted)) {
      it(`accepts ${who}`, async () => {
        const socket = await connect(podium.url, { transports: [transport], ...options });
        await roundTrip(socket);
      });
    }

    const refused = {
      'Authentication token required': {
        'no token': {},
        'an empty token': { token: '' },
      },
      'Authentication failed': {
        'a token that is none': { token: 'garbage' },
        'a token that is none in the Authorization header': {
          extraHeaders: { Authorization: 'Bearer garbage' },
        },
        'a token signed with another secret': {
          token: token({ user: player, secret: 'x'.repeat(48) }),
        },
        'an expired token': { token: token({ user: player, ttlSeconds: -3600 }) },
        'a token that never expires': {
          token: token({ user: player, claims: { exp: undefined } }),
        },
        'a token that is not signed': { token: token({ user: player, algorithm: 'none' }) },
        'an unknown role': { token: token({ user: player, role: 'emperor' }) },
        'a user id that is not a UUID': { token: token({ user: 'ada' }) },
        'a token without a user': { token: token({}) },
      },
      'User not found': {
        'a player who is not registered': { token: token({ user: stranger }) },
        'somebody without a role who is not registered': {
          token: token({ user: stranger, claims: { role: undefined } }),
        },
      },
    };
    for (const [message, cases] of Object.entries(refused)) {
      for (const [what, options] of Object.entries(cases)) {
        it(`refuses ${what}: ${message}`, async () => {
          const refusal = await connectError(podium.url, { transports: [transport], ...options });
          assert.equal(refusal, message);
        });
      }
    }
  });
}

describe('subscribe_scoreboard', () => {
  it('shows an empty board at once', async (t) => {
    const podium = await podiumForTest(t);
    const board = await subscribe(await newViewer(podium));
    expectLeaderboard(board);
    assert.deepEqual(board.topScores, []);
    assert.equal(board.totalUsers, 0);
  });

  it('shows the board at once', async (t) => {
    const podium = await podiumForTest(t);
    const first = await newUser(podium, 'Ada');
    const second = await newUser(podium, 'Grace');
    await act(podium.url, { userId: second, scoreIncrease: 5 });
    await act(podium.url, { userId: first, scoreIncrease: 7 });

    const board = await subscribe(await newViewer(podium));
    expectLeaderboard(board);
    assert.deepEqual(board.topScores, [
      { userId: first, username: 'Ada', score: 7, rank: 1 },
      { userId: second, username: 'Grace', score: 5, rank: 2 },
    ]);
    assert.equal(board.totalUsers, 2);
  });

  it('shows avatars where there are any', async (t) => {
    const podium = await podiumForTest(t);
    const avatar = 'https://example.org/ada.png';
    await putUser(podium.url, randomUUID(), 'Ada', avatar);
    const board = await subscribe(await newViewer(podium));
    assert.equal(board.topScores[0].avatar, avatar);
  });

  it('is acknowledged if asked for, and still answered', async (t) => {
    const podium = await podiumForTest(t);
    const viewer = await newViewer(podium);
    const ack = await ask(viewer, 'subscribe_scoreboard');
    assert.equal(ack.ok, true);
    expectLeaderboard(await nextEvent(viewer, 'leaderboard_refresh'));
  });

  it('brings the new order after every action, seq rising and epoch the same', async (t) => {
    const podium = await podiumForTest(t);
    const first = await newUser(podium);
    const second = await newUser(podium);
    const viewer = await newViewer(podium);
    const boards = [await subscribe(viewer)];

    const actions = [
      { by: second, points: 10, then: [second, first] },
      { by: first, points: 20, then: [first, second] },
      { by: second, points: 20, then: [second, first] },
      { by: second, points: -15, then: [first, second] },
    ];
    for (const { by, points, then } of actions) {
      const answer = await act(podium.url, { userId: by, scoreIncrease: points });
      const board = await refreshWith(viewer, answer);
      expectLeaderboard(board);
      assert.deepEqual(order(board), then);
      assert.equal(board.topScores.find(({ userId }) => userId === by).score, answer.score);
      boards.push(board);
    }

    const seqs = boards.map(({ seq }) => seq);
    assert.deepEqual(seqs, [...new Set(seqs)].sort((a, b) => a - b));
    assert.equal(new Set(boards.map(({ epoch }) => epoch)).size, 1);

    // Nor has anything older arrived between those.
    const all = received(viewer, 'leaderboard_refresh').map(({ seq }) => seq);
    assert.deepEqual(all, all.toSorted((a, b) => a - b));
  });

  it('shows a new user, and a new name', async (t) => {
    const podium = await podiumForTest(t);
    const viewer = await newViewer(podium);
    await subscribe(viewer);
    const names = (board) => board.topScores.map(({ username }) => username);

    const user = await newUser(podium, 'Ada');
    await nextEvent(viewer, 'leaderboard_refresh', (board) => names(board).includes('Ada'));
    await putUser(podium.url, user, 'Ada Lovelace');
    await nextEvent(viewer, 'leaderboard_refresh', (board) => names(board)[0] === 'Ada Lovelace');
  });

  it('refuses a payload of the wrong shape and subscribes to nothing', async (t) => {
    const podium = await podiumForTest(t);
    const user = await newUser(podium);
    const watcher = await newViewer(podium);
    await subscribe(watcher);
    const viewer = await newViewer(podium);

    viewer.emit('subscribe_scoreboard', 42);
    assert.deepEqual(await nextEvent(viewer, 'error'), { message: INVALID });
    expectRefusal(await ask(viewer, 'subscribe_scoreboard', { mode: 'sideways' }), INVALID);

    await refreshWith(watcher, await act(podium.url, { userId: user, scoreIncrease: 1 }));
    await roundTrip(viewer);
    assert.deepEqual(received(viewer, 'leaderboard_refresh'), []);
  });
});

describe('unsubscribe_scoreboard', () => {
  const podium = podiumForSuite();

  it('ends the refreshes of that socket alone', async () => {
    const user = await newUser(podium);
    const [leaver, stayer] = [await newViewer(podium), await newViewer(podium)];
    await subscribe(leaver);
    await subscribe(stayer);
    assert.equal((await ask(leaver, 'unsubscribe_scoreboard')).ok, true);

    const answer = await act(podium.url, { userId: user, scoreIncrease: 1 });
    await refreshWith(stayer, answer);
    await roundTrip(leaver);
    assert.deepEqual(refreshesWith(leaver, answer), []);
  });

  it('does no harm to somebody who has not subscribed', async () => {
    const viewer = await newViewer(podium);
    assert.equal((await ask(viewer, 'unsubscribe_scoreboard')).ok, true);
    await roundTrip(viewer);
    assert.deepEqual(received(viewer, 'error'), []);
  });
});

describe('an action', () => {
  it('is told to the acting user, who need not subscribe', async (t) => {
    const podium = await podiumForTest(t);
    const { id, socket } = await newPlayer(podium);
    const answer = await act(podium.url, { userId: id, scoreIncrease: 10, actionType: 'goal' });

    const update = await ownUpdate(socket);
    expectUserScoreUpdate(update);
    const { timestamp, epoch, merged = 1, ...rest } = update;
    assert.equal(merged, 1);
    assert.deepEqual(rest, {
      userId: id,
      score: 10,
      rank: 1,
      actionType: 'goal',
      scoreIncrease: 10,
      seq: answer.seq,
    });
    assert.equal(epoch, (await leaderboard(podium.url)).epoch);
    await roundTrip(socket);
    assert.deepEqual(received(socket, 'leaderboard_refresh'), []);
  });

  it('is told to all sockets of the acting user', async (t) => {
    const podium = await podiumForTest(t);
    const { id, socket } = await newPlayer(podium);
    const other = await connect(podium.url, {
      token: token({ user: id }),
      transports: ['polling'],
    });
    await act(podium.url, { userId: id, scoreIncrease: 10 });
    assert.deepEqual(await ownUpdate(other), await ownUpdate(socket));
  });

  it('is not told to others as theirs', async (t) => {
    const podium = await podiumForTest(t);
    const acting = await newPlayer(podium);
    const other = await newPlayer(podium);
    await act(podium.url, { userId: acting.id, scoreIncrease: 10 });
    await ownUpdate(acting.socket);
    await roundTrip(other.socket);
    const updates = received(other.socket, 'user_score_update');
    assert.deepEqual(updates.filter(({ userId }) => userId !== other.id), []);
  });

  it('raises seq each time and keeps epoch', async (t) => {
    const podium = await podiumForTest(t);
    const { id, socket } = await newPlayer(podium);
    const updates = [];
    for (const scoreIncrease of [3, 1, -2]) {
      const answer = await act(podium.url, { userId: id, scoreIncrease });
      const update = await ownUpdate(socket);
      assert.equal(update.score, answer.score);
      assert.equal(update.scoreIncrease, scoreIncrease);
      updates.push(update);
    }
    const [a, b, c] = updates.map(({ seq }) => seq);
    assert.ok(a < b && b < c, `${a}, ${b}, ${c}`);
    assert.equal(new Set(updates.map(({ epoch }) => epoch)).size, 1);
  });

  it('that comes with others is merged with them, and no point is lost or told twice', async (t) => {
    const podium = await podiumForTest(t);
    const { id, socket } = await newPlayer(podium);
    // In both of the user's rooms, each update must still come once.
    assert.equal((await ask(socket, 'subscribe_user_score', id)).ok, true);
    const before = received(socket, 'user_score_update').length;

    const points = Array.from({ length: 20 }, (_, i) => i + 1);
    const answers = await actAll(
      podium.url,
      points.map((scoreIncrease) => ({ userId: id, scoreIncrease })),
    );
    const total = points.reduce((a, b) => a + b);
    assert.equal(answers.at(-1).score, total);
    await ownUpdate(socket, ({ score }) => score === total);
    // One more: whatever else was to come of the others has come before it.
    await act(podium.url, { userId: id, scoreIncrease: 1000 });
    const last = await ownUpdate(socket, ({ score }) => score === total + 1000);

    const updates = received(socket, 'user_score_update')
      .slice(before)
      .filter(({ actionType }) => actionType === 'test');
    updates.forEach(expectUserScoreUpdate);
    const sum = (field, otherwise) =>
      updates.map((update) => update[field] ?? otherwise).reduce((a, b) => a + b);
    assert.equal(sum('scoreIncrease'), total + 1000);
    assert.equal(sum('merged', 1), points.length + 1);
    assert.ok(updates.length < points.length, `${updates.length} updates were not merged`);
    assert.deepEqual(updates.at(-1), last);
  });

  it('below the visible board is told to the acting user and refreshes no board', async (t) => {
    const podium = await podiumForTest(t);
    const users = [];
    for (let i = 1; i <= 11; i++) users.push(await newUser(podium, `User ${i}`));
    const { id, socket } = await newPlayer(podium, 'User 12');
    await subscribe(socket);
    // The leader last, so that the refresh that shows this shows all of it.
    const scores = users.map((userId, i) => ({ userId, scoreIncrease: 1000 - 10 * i }));
    const setUp = (await actAll(podium.url, scores.reverse())).at(-1);
    const board = await refreshWith(socket, setUp);
    assert.deepEqual(order(board), users.slice(0, 10));
    assert.equal(board.totalUsers, 12);

    const outside = await act(podium.url, { userId: id, scoreIncrease: 895 });
    assert.equal(outside.oldRank, 12);
    const still = await ownUpdate(socket, ({ seq }) => seq >= outside.seq);
    assert.deepEqual([still.score, still.rank], [895, 12]);

    const overtakes = await act(podium.url, { userId: id, scoreIncrease: 10 });
    const update = await ownUpdate(socket, ({ seq }) => seq >= overtakes.seq);
    assert.deepEqual([update.score, update.rank], [905, 11]);

    // What does change the board comes after everything that those two caused.
    const visible = await act(podium.url, { userId: users[9], scoreIncrease: 1 });
    await refreshWith(socket, visible);
    const seqs = refreshesWith(socket, outside).map(({ seq }) => seq);
    assert.deepEqual(seqs, [visible.seq]);
  });
});

describe('subscribe_user_score', () => {
  const podium = podiumForSuite();

  const shapes = {
    'a string': (id) => id,
    'an object': (id) => ({ userId: id }),
  };
  for (const [shape, payload] of Object.entries(shapes)) {
    it(`with ${shape} tells one's own score at once`, async () => {
      const { id, socket } = await newPlayer(podium);
      await act(podium.url, { userId: id, scoreIncrease: 4 });
      await ownUpdate(socket);

      socket.emit('subscribe_user_score', payload(id));
      const update = await nextEvent(socket, 'user_score_update');
      expectUserScoreUpdate(update);
      assert.equal(update.userId, id);
      assert.equal(update.score, 4);
      assert.equal(update.scoreIncrease, 0);
    });

    it(`with ${shape} is acknowledged if asked for`, async () => {
      const { id, socket } = await newPlayer(podium);
      const ack = await ask(socket, 'subscribe_user_score', payload(id));
      assert.equal(ack.ok, true);
      assert.equal((await nextEvent(socket, 'user_score_update')).userId, id);
    });

    it(`with ${shape} refuses another's id`, async () => {
      const other = await newUser(podium);
      const { socket } = await newPlayer(podium);
      socket.emit('subscribe_user_score', payload(other));
      assert.deepEqual(await nextEvent(socket, 'error'), { message: 'Forbidden' });
      expectRefusal(await ask(socket, 'subscribe_user_score', payload(other)), 'Forbidden');

      await act(podium.url, { userId: other, scoreIncrease: 1 });
      await roundTrip(socket);
      const updates = received(socket, 'user_score_update');
      assert.deepEqual(updates.filter(({ userId }) => userId === other), []);
    });
  }

  const malformed = {
    nothing: [],
    null: [null],
    'a number': [42],
    'an array': [[randomUUID()]],
    'a string that is not a UUID': ['ada'],
    'an empty object': [{}],
    'an object whose userId is a number': [{ userId: 42 }],
    'an object whose userId is not a UUID': [{ userId: 'ada' }],
  };
  for (const [what, payload] of Object.entries(malformed)) {
    it(`refuses ${what}`, async () => {
      const { socket } = await newPlayer(podium);
      socket.emit('subscribe_user_score', ...payload);
      assert.deepEqual(await nextEvent(socket, 'error'), { message: INVALID });
      expectRefusal(await ask(socket, 'subscribe_user_score', ...payload), INVALID);
    });
  }
});

describe('ping', () => {
  const podium = podiumForSuite();
  for (const transport of TRANSPORTS) {
    it(`is answered by pong over ${transport}`, async () => {
      const viewer = await newViewer(podium, { transports: [transport] });
      viewer.emit('ping');
      await nextEvent(viewer, 'pong');
    });

    it(`is acknowledged if asked for over ${transport}`, async () => {
      const viewer = await newViewer(podium, { transports: [transport] });
      assert.equal((await ask(viewer, 'ping')).ok, true);
    });
  }
});

describe('the events of one client', () => {
  const podium = podiumForSuite();

  /** Sends 40 events in turn without waiting; resolves when all are acknowledged. */
  async function takeTurns(socket, events) {
    const turns = Array.from({ length: 40 }, (_, i) => i);
    const acknowledged = [];
    const send = async (turn) => {
      const ack = await ask(socket, events[turn % events.length]);
      assert.equal(ack.ok, true);
      acknowledged.push(turn);
    };
    await Promise.all(turns.map(send));
    assert.deepEqual(acknowledged, turns);
  }

  for (const transport of TRANSPORTS) {
    it(`over ${transport} take effect in the order sent, ending unsubscribed`, async () => {
      const user = await newUser(podium);
      const watcher = await newViewer(podium);
      await subscribe(watcher);
      const viewer = await newViewer(podium, { transports: [transport] });
      await takeTurns(viewer, ['subscribe_scoreboard', 'unsubscribe_scoreboard']);

      const answer = await act(podium.url, { userId: user, scoreIncrease: 1 });
      await refreshWith(watcher, answer);
      await roundTrip(viewer);
      assert.deepEqual(refreshesWith(viewer, answer), []);
    });

    it(`over ${transport} take effect in the order sent, ending subscribed`, async () => {
      const user = await newUser(podium);
      const viewer = await newViewer(podium, { transports: [transport] });
      await takeTurns(viewer, ['unsubscribe_scoreboard', 'subscribe_scoreboard']);

      const answer = await act(podium.url, { userId: user, scoreIncrease: 1 });
      await refreshWith(viewer, answer);
    });
  }
});

describe('what happened on the visible board', () => {
  /** A board of three with a watcher, to whom all this is old. */
  async function watched(t) {
    const podium = await podiumForTest(t, { env: { PODIUM_BOARD__TOP: '3' } });
    const users = {};
    for (const [name, score] of Object.entries({ Ada: 30, Grace: 20, Alan: 10, Last: 1 })) {
      users[name] = await newUser(podium, name);
      await act(podium.url, { userId: users[name], scoreIncrease: score });
    }
    const watcher = await newViewer(podium);
    await subscribe(watcher);
    await refreshWith(watcher, await act(podium.url, { userId: users.Alan, scoreIncrease: 1 }));
    return { podium, watcher, users, seen: told(watcher).length };
  }

  /** All changes so far, whether they came alone or in a batch. */
  const told = (socket) =>
    [...received(socket, 'scoreboard_update'), ...received(socket, 'batch_update').flat()].sort(
      (a, b) => a.seq - b.seq,
    );

  /** A change without what is the same for all. */
  const essence = ({ timestamp, epoch, seq, ...change }) => change;

  it('comes as scoreboard_update when it is one change', async (t) => {
    const { podium, watcher, users } = await watched(t);
    const answer = await act(podium.url, { userId: users.Ada, scoreIncrease: 5 });
    const change = await nextEvent(watcher, 'scoreboard_update', ({ userId }) => userId === users.Ada);
    assert.deepEqual(essence(change), {
      type: 'SCORE_UPDATE',
      userId: users.Ada,
      newScore: 35,
      newRank: 1,
      oldRank: 1,
    });
    assert.equal(change.seq, answer.seq);
    assert.equal(change.epoch, (await leaderboard(podium.url)).epoch);
    assert.match(change.timestamp, /^\d{4}-\d\d-\d\dT.*Z$/);
  });

  it('comes as batch_update when it is several, and before the board that has it', async (t) => {
    const { podium, watcher, users } = await watched(t);
    const sequence = [];
    // Alan is congratulated as well, some time.
    watcher.onAny((name) => name === 'system_notification' || sequence.push(name));
    const answer = await act(podium.url, { userId: users.Alan, scoreIncrease: 100 });
    const batch = await nextEvent(watcher, 'batch_update', ([{ seq }]) => seq === answer.seq);
    await refreshWith(watcher, answer);
    assert.deepEqual(batch.map(essence), [
      { type: 'NEW_LEADER', userId: users.Alan, newScore: 111, newRank: 1, oldRank: 3 },
      { type: 'RANK_CHANGE', userId: users.Ada, newScore: 30, newRank: 2, oldRank: 1 },
      { type: 'RANK_CHANGE', userId: users.Grace, newScore: 20, newRank: 3, oldRank: 2 },
    ]);
    assert.deepEqual(sequence, ['batch_update', 'leaderboard_refresh']);
  });

  it('says nothing of those below it', async (t) => {
    const { podium, watcher, users, seen } = await watched(t);
    const answer = await act(podium.url, { userId: users.Last, scoreIncrease: 1 });
    assert.equal(answer.rank, 4);
    const next = await act(podium.url, { userId: users.Ada, scoreIncrease: 1 });
    await refreshWith(watcher, next);
    assert.deepEqual(told(watcher).slice(seen).map(({ userId }) => userId), [users.Ada]);
  });

  it('comes in batches of ten at most, and all of it comes', async (t) => {
    const podium = await podiumForTest(t, { env: { PODIUM_BOARD__TOP: '100' } });
    const users = [];
    for (let i = 0; i < 45; i++) users.push(await newUser(podium, `Player ${i}`));
    const watcher = await newViewer(podium);
    await subscribe(watcher);
    const actions = users.map((userId, i) => ({ userId, scoreIncrease: 1000 - i }));
    await actAll(podium.url, actions);
    for (const [i, userId] of users.entries()) {
      const mine = (change) => change.userId === userId && change.newScore === 1000 - i;
      while (!told(watcher).some(mine)) await nextEvent(watcher, 'batch_update');
    }
    for (const batch of received(watcher, 'batch_update')) {
      assert.ok(batch.length >= 2 && batch.length <= 10, `${batch.length} changes`);
    }
  });
});

describe('a restart after SIGKILL', () => {
  it('loses nothing that was acknowledged and counts nothing twice', async (t) => {
    const first = await startPodium();
    t.after(() => first.kill());
    const ada = await newUser(first, 'Ada');
    const grace = await newUser(first, 'Grace');
    const retried = { userId: ada, scoreIncrease: 10, actionId: randomUUID() };
    const answer = await act(first.url, retried);
    assert.equal(answer.duplicate, false);
    await act(first.url, { userId: grace, scoreIncrease: 30 });
    const board = await leaderboard(first.url);
    assert.deepEqual(order(board), [grace, ada]);
    const last = await act(first.url, { userId: ada, scoreIncrease: 1 });
    await first.kill();

    const second = await podiumForTest(t, { database: first.database });
    const restored = await leaderboard(second.url);
    assert.equal(restored.epoch, board.epoch);
    assert.equal(restored.seq, last.seq);
    assert.deepEqual(
      restored.topScores.map(({ userId, score, rank }) => [userId, score, rank]),
      [
        [grace, 30, 1],
        [ada, 11, 2],
      ],
    );

    assert.deepEqual(await act(second.url, retried), { ...answer, duplicate: true });
    assert.deepEqual(await leaderboard(second.url), restored);
    assert.deepEqual(await subscribe(await newViewer(second)), restored);
  });

  it('shows the very board that was shown before', async (t) => {
    const first = await startPodium();
    t.after(() => first.kill());
    const user = await newUser(first);
    await act(first.url, { userId: user, scoreIncrease: 10 });
    const before = await leaderboard(first.url);
    await first.kill();

    const second = await podiumForTest(t, { database: first.database });
    assert.deepEqual(await leaderboard(second.url), before);
  });
});
