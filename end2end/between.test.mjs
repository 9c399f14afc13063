// Between two ticks a client may be shown what no frame ever shows: by subscribing,
// by asking for its own score, or by HTTP, from which pages are rendered. If it is
// gone again with the next tick, then nothing has changed for all others, but the
// one who saw it must still be told.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';

import { act, leaderboard, putUser, request, token } from './support/podium.mjs';
import { openPolling } from './support/polling.mjs';
import { ask, connect, nextEvent, received, roundTrip } from './support/socket.mjs';
import { podiumForTest } from './support/suite.mjs';
import { BoardView } from './support/view.mjs';

const newViewer = (podium) =>
  connect(podium.url, { token: token({ user: randomUUID(), role: 'viewer' }) });

/** Three users and a witness to whom the board is shown as it is; the next tick is 100 ms away. */
async function justTicked(t) {
  const podium = await podiumForTest(t);
  const users = {};
  for (const name of ['Ada', 'Grace', 'Alan']) {
    users[name] = randomUUID();
    await putUser(podium.url, users[name], name);
  }
  await act(podium.url, { userId: users.Ada, scoreIncrease: 30 });
  await act(podium.url, { userId: users.Grace, scoreIncrease: 20 });
  const witness = await newViewer(podium);
  witness.emit('subscribe_scoreboard');
  await tick(podium, witness, users.Ada);
  return { podium, witness, users };
}

/** Gives a user a point, and returns when the witness was shown it. */
async function tick(podium, witness, userId) {
  const { seq } = await act(podium.url, { userId, scoreIncrease: 1 });
  await nextEvent(witness, 'leaderboard_refresh', (board) => board.seq >= seq);
}

/** What the view says of a user. */
const scoreOf = ({ rows }, userId) => rows.find((row) => row.userId === userId).score;

describe('what is gone with the next tick', () => {
  it('is put right for whoever subscribed meanwhile', async (t) => {
    const { podium, users } = await justTicked(t);
    const viewer = await newViewer(podium);
    await act(podium.url, { userId: users.Grace, scoreIncrease: 5 });
    await ask(viewer, 'subscribe_scoreboard');
    await act(podium.url, { userId: users.Grace, scoreIncrease: -5 });

    const view = new BoardView();
    while (view.seq === undefined || scoreOf(view, users.Grace) !== 20) {
      view.refresh(await nextEvent(viewer, 'leaderboard_refresh'));
    }
  });

  it('is put right for whoever resumes from it in delta mode', async (t) => {
    const { podium, witness, users } = await justTicked(t);
    const viewer = await newViewer(podium);
    const view = new BoardView();
    viewer.on('leaderboard_refresh', (board) => view.refresh(board));
    viewer.on('scoreboard_delta', (delta) => view.delta(delta));
    await act(podium.url, { userId: users.Grace, scoreIncrease: 5 });
    view.refresh(await leaderboard(podium.url));
    assert.equal(scoreOf(view, users.Grace), 25);
    await ask(viewer, 'subscribe_scoreboard', { mode: 'delta', ...view.position });
    await act(podium.url, { userId: users.Grace, scoreIncrease: -5 });
    await tick(podium, witness, users.Alan);
    await roundTrip(viewer);
    assert.deepEqual(view.rows, (await leaderboard(podium.url)).topScores);
  });

  it('is put right for whoever resumes from it later', async (t) => {
    const { podium, witness, users } = await justTicked(t);
    await act(podium.url, { userId: users.Grace, scoreIncrease: 5 });
    const view = new BoardView();
    view.refresh(await leaderboard(podium.url));
    assert.equal(scoreOf(view, users.Grace), 25);
    await act(podium.url, { userId: users.Grace, scoreIncrease: -5 });
    await tick(podium, witness, users.Alan);

    const viewer = await newViewer(podium);
    await ask(viewer, 'subscribe_scoreboard', { mode: 'delta', ...view.position });
    received(viewer, 'leaderboard_refresh').forEach((board) => view.refresh(board));
    received(viewer, 'scoreboard_delta').forEach((delta) => view.delta(delta));
    assert.deepEqual(view.rows, (await leaderboard(podium.url)).topScores);
  });
});

describe('a board that did not change', () => {
  it('is not shown as of an earlier entry to whoever reads slowly', async (t) => {
    const env = { PODIUM_BOARD__TOP: '1', PODIUM_LIMITS__EVENTS_PER_MINUTE: '10000' };
    const podium = await podiumForTest(t, { env });
    const users = {};
    for (const name of ['First', 'Second', 'Reader']) {
      users[name] = randomUUID();
      await putUser(podium.url, users[name], name);
    }
    await act(podium.url, { userId: users.First, scoreIncrease: 100 });
    const witness = await newViewer(podium);
    witness.emit('subscribe_scoreboard');
    await tick(podium, witness, users.First);
    // Below the visible rows, so that `seq` rises and nothing else does.
    await act(podium.url, { userId: users.Second, scoreIncrease: 1 });

    const slow = await openPolling(podium.url);
    const events = [];
    const readUntil = async (name) => {
      while (!events.some((event) => event[0] === name)) events.push(...(await slow.read()));
    };
    await slow.connect(token({ user: users.Reader }));
    await slow.emit('subscribe_scoreboard');
    await readUntil('leaderboard_refresh');
    const boards = () => events.filter(([name]) => name === 'leaderboard_refresh');
    const seqs = () => boards().map(([, { seq }]) => seq);
    const [shown] = seqs();
    // Answers that it does not read are more than may wait for it. What it misses
    // meanwhile it is given when it has read them.
    for (let i = 0; i < 20; i++) await slow.send(...Array(10).fill('42["ping"]'));
    await act(podium.url, { userId: users.Reader, scoreIncrease: 1 });
    await readUntil('user_score_update');
    assert.ok(seqs().every((seq) => seq >= shown), `${seqs()}`);
  });
});

describe("one's own rank that is another only until the next look at everybody", () => {
  it('is put right for whoever asked meanwhile', async (t) => {
    // Far from the top, ranks are looked at about twice a second.
    const podium = await podiumForTest(t, { env: { PODIUM_BOARD__TOP: '1' } });
    const users = {};
    for (const [name, points] of Object.entries({ First: 100, Second: 50, Third: 10, Player: 5 })) {
      users[name] = randomUUID();
      await putUser(podium.url, users[name], name);
      await act(podium.url, { userId: users[name], scoreIncrease: points });
    }
    const witness = await newViewer(podium);
    witness.emit('subscribe_scoreboard');
    await tick(podium, witness, users.First);
    const player = await connect(podium.url, { token: token({ user: users.Player }) });
    const rankIs = (rank) => (update) => update.rank === rank;
    // When it is told of this, everybody was looked at just now.
    await act(podium.url, { userId: users.Third, scoreIncrease: -9 });
    await nextEvent(player, 'user_score_update', rankIs(3));

    await act(podium.url, { userId: users.Second, scoreIncrease: -48 });
    await ask(player, 'subscribe_user_score', users.Player);
    await act(podium.url, { userId: users.Second, scoreIncrease: 48 });
    await nextEvent(player, 'user_score_update', rankIs(2));
    await nextEvent(player, 'user_score_update', rankIs(3));
    const { body } = await request(podium.url, 'GET', `/api/v1/users/${users.Player}`);
    assert.deepEqual([body.score, body.rank], [5, 3]);
  });
});
