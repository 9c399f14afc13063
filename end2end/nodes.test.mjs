// Three nodes on one Redis are one board: whatever is sent to one of them is heard at
// all, and counted once.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';

import { expectProblem } from './support/expect.mjs';
import { eventually, fleetForSuite, TOP } from './support/fleet.mjs';
import { act, action, newUser, postActions, putUser, request, token } from './support/podium.mjs';
import { ask, connect, nextEvent, received, roundTrip } from './support/socket.mjs';

const admin = () => token({ user: randomUUID(), role: 'admin' });

/** What a page shows, without what is another for each viewer and each node. */
async function page(url) {
  const { status, body } = await request(url, 'GET', '/');
  assert.equal(status, 200);
  return body
    .replaceAll(url, 'http://node')
    .replaceAll(/nonce="[^"]+"/g, 'nonce')
    .replaceAll(/eyJ[\w-]+\.[\w-]+\.[\w-]+/g, 'token');
}

/** The numbers of all nodes, and those that come after each. */
const turns = (nodes) => nodes.map((_, at) => [0, 1, 2].map((n) => (at + n) % nodes.length));

describe('three nodes', () => {
  const fleet = fleetForSuite({
    env: { PODIUM_ACTIONS__QUIZ__POINTS: '3', PODIUM_ACTIONS__QUIZ__PER_MINUTE: '10' },
  });

  it('show an action that any of them took, in every mode', async () => {
    const { nodes, players, watchers } = fleet();
    const before = watchers.map(({ counts }) => ({ ...counts }));
    for (const [at, node] of nodes.entries()) {
      const userId = players[at];
      // From anywhere to first place.
      const { seq, rank } = await act(node.url, { userId, scoreIncrease: 1000 * (at + 1) });
      assert.equal(rank, 1);
      const board = await fleet().agrees();
      assert.equal(board.seq, seq);
      assert.equal(board.topScores[0].userId, userId);
    }
    watchers.forEach(({ counts, watched }, i) => {
      // Whoever was shown the board between two ticks gets all rows once more.
      const frames = (it) => it.refreshes + (watched.mode === 'delta' ? it.deltas : 0);
      assert.ok(frames(counts) >= frames(before[i]) + nodes.length, `each came to ${watchers[i]}`);
    });
  });

  it('say what happened to whom on the visible board', async () => {
    const { nodes, players } = fleet();
    for (const [from, near, far] of turns(nodes)) {
      const viewers = [near, far].map(async (at) => {
        const viewer = await connect(nodes[at].url, { token: admin() });
        viewer.emit('subscribe_scoreboard');
        await nextEvent(viewer, 'leaderboard_refresh');
        return viewer;
      });
      const [one, other] = await Promise.all(viewers);
      const userId = players[5 + from];
      const { seq, score } = await act(nodes[from].url, { userId, scoreIncrease: 10_000 * (from + 1) });
      for (const viewer of [one, other]) {
        const items = () => [
          ...received(viewer, 'scoreboard_update'),
          ...received(viewer, 'batch_update').flat(),
        ];
        await nextEvent(viewer, 'leaderboard_refresh', (board) => board.seq >= seq);
        await eventually(() => {
          const leads = items().some((it) => it.type === 'NEW_LEADER' && it.userId === userId);
          return leads ? undefined : `no new leader in ${JSON.stringify(items())}`;
        });
        const { newScore, newRank } = items().find((it) => it.userId === userId);
        assert.deepEqual([newScore, newRank], [score, 1]);
      }
    }
    await fleet().agrees();
  });

  it('tell players what became of them, wherever they are', async () => {
    const { nodes } = fleet();
    for (const [from, near, far] of turns(nodes)) {
      const [climber, passed] = await Promise.all([fleet().newUser(near, 'Up'), fleet().newUser(far, 'Down')]);
      const at = (node, user) => connect(nodes[node].url, { token: token({ user }) });
      const [one, other, third] = await Promise.all([at(near, climber), at(far, climber), at(far, passed)]);
      await Promise.all([one, other, third].map(roundTrip));
      const ahead = await act(nodes[far].url, { userId: passed, scoreIncrease: 1_000_000 * (from + 1) });
      // What happens to them in one tick is told as one thing.
      await nextEvent(third, 'user_score_update', ({ seq }) => seq >= ahead.seq);
      const more = { userId: climber, scoreIncrease: 1_000_000 * (from + 1) + 5 };
      const answer = await act(nodes[from].url, more);
      for (const socket of [one, other]) {
        const told = await nextEvent(socket, 'user_score_update', ({ actionType }) => actionType === 'test');
        const { score, rank, scoreIncrease, merged, seq } = told;
        assert.deepEqual(
          { score, rank, scoreIncrease, merged },
          { score: answer.score, rank: answer.rank, scoreIncrease: more.scoreIncrease, merged: 1 },
        );
        assert.ok(seq >= answer.seq);
      }
      const told = await nextEvent(third, 'user_score_update', ({ rank }) => rank === answer.rank + 1);
      assert.deepEqual([told.actionType, told.scoreIncrease], ['RANK_CHANGE', 0]);
    }
    await fleet().agrees();
  });

  it('render the same page', async () => {
    const { seq } = await fleet().agrees();
    const [first, ...others] = await Promise.all(fleet().urls.map(page));
    assert.ok(first.includes('Down'));
    assert.ok(first.includes(`"seq":${seq}`));
    for (const other of others) assert.equal(other, first);
  });

  it('show a notification that any of them took, once', async () => {
    const { nodes, urls, watchers } = fleet();
    for (const [from, near] of turns(nodes)) {
      const message = `by node ${from}`;
      const body = { id: randomUUID(), message };
      // The same again, to another node at the same moment, is no other one.
      const posts = [from, near].map((at) =>
        request(urls[at], 'POST', '/api/v1/notifications', { token: admin(), body }),
      );
      const answers = await Promise.all(posts);
      assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 201]);
      await eventually(() => {
        const missed = watchers.find(({ banners }) => !banners.includes(message));
        return missed && `"${message}" did not come to ${missed}`;
      });
      // Whoever comes later is shown it too, wherever.
      for (const url of urls) {
        const late = await connect(url, { token: admin() });
        await nextEvent(late, 'system_notification', (it) => it.message === message);
      }
    }
    for (const { banners } of watchers) {
      const ours = banners.filter((message) => message.startsWith('by node'));
      assert.deepEqual(ours, ['by node 0', 'by node 1', 'by node 2']);
    }
    await fleet().agrees();
  });

  it('let go of a player who was deleted at any of them', async () => {
    const { nodes, urls } = fleet();
    for (const [from, near, far] of turns(nodes)) {
      const user = await fleet().newUser(near, 'Nobody');
      const sockets = [near, far].map((at) => connect(urls[at], { token: token({ user }) }));
      const gone = (await Promise.all(sockets)).map(async (socket) => {
        const closed = new Promise((resolve) => socket.once('disconnect', resolve));
        const { message } = await nextEvent(socket, 'session_expired');
        return [message, await closed];
      });
      const answer = request(urls[from], 'DELETE', `/api/v1/users/${user}`, { token: admin() });
      assert.equal((await answer).status, 204);
      for (const [message, reason] of await Promise.all(gone)) {
        assert.deepEqual([message, reason], ['User deleted', 'io server disconnect']);
      }
      for (const url of urls) {
        await eventually(async () => {
          const { status } = await request(url, 'GET', `/api/v1/users/${user}`);
          return status === 404 ? undefined : `${url} knows them`;
        });
      }
    }
    await fleet().agrees();
  });

  it('let go of tokens that were revoked at any of them', async () => {
    const { nodes, urls } = fleet();
    for (const [from, near, far] of turns(nodes)) {
      const user = await fleet().newUser(near, 'Locked out');
      const held = token({ user });
      const sockets = await Promise.all([near, far].map((at) => connect(urls[at], { token: held })));
      const closed = sockets.map((socket) => nextEvent(socket, 'session_expired'));
      const path = `/api/v1/users/${user}/revoke`;
      assert.equal((await request(urls[from], 'POST', path, { token: admin() })).status, 204);
      for (const { message } of await Promise.all(closed)) {
        assert.equal(message, 'The token was revoked');
      }
      for (const url of urls) await assert.rejects(connect(url, { token: held }), /Authentication failed/);
    }
    await fleet().agrees();
  });

  it('count an action once that comes to two of them at the same moment', async () => {
    const { nodes } = fleet();
    const userId = await newUser(nodes[0], 'Twice');
    for (let i = 0; i < 60; i++) {
      const [one, other, third] = turns(nodes)[i % 3];
      const body = action({ userId, scoreIncrease: 1 });
      const pair = await Promise.all([one, other].map((at) => postActions(nodes[at], body)));
      pair.push(await postActions(nodes[third], body));
      for (const { status, body } of pair) assert.equal(status, 200, JSON.stringify(body));
      const answers = pair.map(({ body: { duplicate, ...answer } }) => answer);
      assert.deepEqual(answers[1], answers[0]);
      assert.deepEqual(answers[2], answers[0]);
      assert.equal(answers[0].score, i + 1);
      assert.equal(pair.filter(({ body }) => !body.duplicate).length, 1);
      assert.ok(pair[2].body.duplicate);
    }
    await fleet().agrees();
  });

  it('refuse another action under a known id, whichever took the first', async () => {
    const { nodes } = fleet();
    const userId = await newUser(nodes[0], 'Mistaken');
    for (const [from, near, far] of turns(nodes)) {
      const body = action({ userId, scoreIncrease: 7 });
      assert.equal((await postActions(nodes[from], body)).status, 200);
      for (const at of [near, far]) {
        expectProblem(await postActions(nodes[at], { ...body, scoreIncrease: 8 }), 409);
      }
    }
    // At the same moment, one of them is the first.
    for (let i = 0; i < 20; i++) {
      const body = action({ userId, scoreIncrease: 1 });
      const answers = [0, 1, 2].map((at) => postActions(nodes[at], { ...body, scoreIncrease: at }));
      const statuses = (await Promise.all(answers)).map(({ status }) => status);
      assert.deepEqual(statuses.sort(), [200, 409, 409]);
    }
    await fleet().agrees();
  });

  it('hold the limits of a declared type together', async () => {
    const { nodes } = fleet();
    const userId = await newUser(nodes[0], 'Eager');
    const send = (_, i) => postActions(nodes[i % 3], action({ userId, actionType: 'quiz' }));
    const answers = await Promise.all(Array.from({ length: 36 }, send));
    const counted = answers.filter(({ status }) => status === 200);
    assert.equal(counted.length, 10);
    for (const answer of answers) if (answer.status !== 200) expectProblem(answer, 429);
    assert.deepEqual(
      counted.map(({ body }) => body.score).sort((a, b) => a - b),
      Array.from({ length: 10 }, (_, i) => 3 * (i + 1)),
    );
    await fleet().agrees();
  });

  it('rank equal scores by who reached them first on the log', async () => {
    const { nodes } = fleet();
    const users = await Promise.all(Array.from({ length: 30 }, (_, i) => newUser(nodes[i % 3], `Tied ${i}`)));
    const points = users.map((userId) => ({ userId, scoreIncrease: 77_000_000 }));
    const answers = await Promise.all(points.map((it, i) => act(nodes[(7 * i) % 3].url, it)));
    const byLog = users
      .map((userId, i) => ({ userId, seq: answers[i].seq }))
      .sort((a, b) => a.seq - b.seq)
      .map(({ userId }) => userId);
    const { topScores } = await fleet().agrees();
    assert.deepEqual(
      topScores.slice(0, users.length).map(({ userId }) => userId),
      byLog,
    );
    assert.ok(users.length > TOP, 'and beyond the visible board');
  });

  it('number all that they take without a gap or a number twice', async () => {
    const { nodes, players } = fleet();
    const before = await fleet().agrees();
    const answers = await Promise.all(
      Array.from({ length: 120 }, (_, i) =>
        act(nodes[i % 3].url, { userId: players[i % players.length], scoreIncrease: (i % 5) - 2 }),
      ),
    );
    assert.deepEqual(
      answers.map(({ seq }) => seq).sort((a, b) => a - b),
      Array.from({ length: 120 }, (_, i) => before.seq + 1 + i),
    );
    await fleet().agrees();
  });
});

describe('nodes whose clocks are apart', () => {
  const fake = (offset) => ({
    LD_PRELOAD: '/usr/$LIB/faketime/libfaketime.so.1',
    FAKETIME: offset,
    DONT_FAKE_MONOTONIC: '1',
  });

  const fleet = fleetForSuite({ envs: [{}, fake('+20m'), fake('-30s')] });

  it('are one board, by the clock of Redis', async () => {
    const { nodes, urls, players } = fleet();
    // Otherwise this tests nothing.
    const dates = urls.map(async (url) => Date.parse((await fetch(`${url}/healthz`)).headers.get('date')));
    const [first, ahead, behind] = await Promise.all(dates);
    assert.ok(ahead - first > 15 * 60_000 && behind - first < -15_000, [first, ahead, behind]);
    const began = Date.now() - 1000;
    const traffic = fleet().traffic();
    await traffic.flows();
    await traffic.end();
    // Who came first is last by their clocks.
    const users = await Promise.all(players.slice(0, 3).map((_, i) => newUser(nodes[i], `Tied ${i}`)));
    for (const at of [1, 0, 2]) await act(urls[at], { userId: users[at], scoreIncrease: 1_000_000 });
    const { topScores, lastUpdated } = await fleet().agrees();
    assert.deepEqual(
      topScores.slice(0, 3).map(({ userId }) => userId),
      [1, 0, 2].map((at) => users[at]),
    );
    assert.ok(Date.parse(lastUpdated) >= began && Date.parse(lastUpdated) <= Date.now() + 1000);
  });

  it('show a banner at the same moment', async () => {
    for (const [at, url] of fleet().urls.entries()) {
      const body = { id: randomUUID(), message: `by the clock of node ${at}`, duration: 15_000 };
      const post = () => request(url, 'POST', '/api/v1/notifications', { token: admin(), body });
      assert.equal((await post()).status, 201);
      await eventually(() => {
        const missed = fleet().watchers.find(({ banners }) => !banners.includes(body.message));
        return missed && `"${body.message}" did not come to ${missed}`;
      });
      assert.equal((await post()).status, 200, 'the same again');
    }
  });

  it('refuse what was revoked, whichever took it', async () => {
    const { nodes, urls } = fleet();
    for (const url of urls) {
      const user = await newUser(nodes[0], 'Locked out');
      await fleet().agrees();
      const held = token({ user });
      const sockets = await Promise.all(urls.map((it) => connect(it, { token: held })));
      const path = `/api/v1/users/${user}/revoke`;
      assert.equal((await request(url, 'POST', path, { token: admin() })).status, 204);
      for (const socket of sockets) {
        assert.equal((await nextEvent(socket, 'session_expired')).message, 'The token was revoked');
      }
      for (const it of urls) await assert.rejects(connect(it, { token: held }), /Authentication failed/);
      // One that is signed after the answer is good.
      const later = token({ user });
      for (const it of urls) (await connect(it, { token: later })).disconnect();
    }
  });

  it('tell clients the time of what they show', async () => {
    for (const url of fleet().urls) {
      const socket = await connect(url, { token: admin() });
      const { time } = await ask(socket, 'ping');
      assert.ok(Math.abs(Date.parse(time) - Date.now()) < 15_000, time);
    }
  });
});
