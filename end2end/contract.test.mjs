// Every row of both tables of the Socket.IO contract, and every refusal, over
// WebSocket and over long-polling alike. The other files go into each.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';

import { expectLeaderboard, expectRefusal, expectUserScoreUpdate } from './support/expect.mjs';
import { act, actAll, putUser, request, token } from './support/podium.mjs';
import { ask, connect, connectError, nextEvent } from './support/socket.mjs';
import { podiumForSuite, podiumForTest } from './support/suite.mjs';

const INVALID = 'Invalid message format';

async function player(podium, name, score) {
  const user = randomUUID();
  await putUser(podium.url, user, name);
  if (score) await act(podium.url, { userId: user, scoreIncrease: score });
  return user;
}

/** Returns when what happened so far was told: what comes next is not merged with it. */
async function told(podium, userId) {
  const socket = await connect(podium.url, { token: token({ user: userId }) });
  socket.emit('subscribe_scoreboard');
  const { seq } = await act(podium.url, { userId, scoreIncrease: 1 });
  await nextEvent(socket, 'leaderboard_refresh', (board) => board.seq >= seq);
  await nextEvent(socket, 'user_score_update', (update) => update.seq >= seq);
}

for (const transport of ['websocket', 'polling']) {
  describe(`over ${transport}`, () => {
    const podium = podiumForSuite({ env: { PODIUM_BOARD__TOP: '3' } });
    const join = (options, to = podium) =>
      connect(to.url, { transports: [transport], ...options });
    const asViewer = (to) => join({ token: token({ user: randomUUID(), role: 'viewer' }) }, to);
    const asPlayer = (user, to) => join({ token: token({ user }) }, to);

    const clientSends = {
      'subscribe_scoreboard: all rows at once': async (socket) => {
        assert.equal((await ask(socket, 'subscribe_scoreboard')).ok, true);
        expectLeaderboard(await nextEvent(socket, 'leaderboard_refresh'));
      },
      'subscribe_scoreboard of a page: its rows at once': async (socket) => {
        assert.equal((await ask(socket, 'subscribe_scoreboard', { page: 1 })).ok, true);
        const { page, topScores } = await nextEvent(socket, 'leaderboard_refresh');
        assert.deepEqual([page, topScores], [1, []]);
      },
      'subscribe_scoreboard in delta mode from where one is: what was missed': async (socket) => {
        socket.emit('subscribe_scoreboard', { mode: 'delta' });
        const { epoch, seq } = await nextEvent(socket, 'leaderboard_refresh');
        const resumed = await ask(socket, 'subscribe_scoreboard', { mode: 'delta', epoch, seq });
        assert.equal(resumed.ok, true);
        const delta = await nextEvent(socket, 'scoreboard_delta', ({ from }) => from === seq);
        assert.deepEqual([delta.epoch, delta.changes], [epoch, []]);
      },
      'unsubscribe_scoreboard: no more': async (socket) => {
        assert.equal((await ask(socket, 'unsubscribe_scoreboard')).ok, true);
      },
      'subscribe_user_score with a string: the own score at once': async (socket, user) => {
        assert.equal((await ask(socket, 'subscribe_user_score', user)).ok, true);
        expectUserScoreUpdate(await nextEvent(socket, 'user_score_update'));
      },
      'subscribe_user_score with an object: the own score at once': async (socket, user) => {
        assert.equal((await ask(socket, 'subscribe_user_score', { userId: user })).ok, true);
        expectUserScoreUpdate(await nextEvent(socket, 'user_score_update'));
      },
      'refresh_token: the later token counts': async (socket, user) => {
        const later = token({ user, ttlSeconds: 7200 });
        assert.equal((await ask(socket, 'refresh_token', { token: later })).ok, true);
      },
      'ping: pong': async (socket) => {
        assert.equal((await ask(socket, 'ping')).ok, true);
        await nextEvent(socket, 'pong');
      },
    };
    for (const [row, check] of Object.entries(clientSends)) {
      it(row, async () => {
        const user = await player(podium, 'Ada');
        await check(await asPlayer(user), user);
      });
    }

    const refusedEvents = {
      'an unknown event': [INVALID, 'raise_my_score'],
      'subscribe_scoreboard of the wrong shape': [INVALID, 'subscribe_scoreboard', 7],
      'unsubscribe_scoreboard of the wrong shape': [INVALID, 'unsubscribe_scoreboard', 'all'],
      'subscribe_user_score of nobody': [INVALID, 'subscribe_user_score'],
      'subscribe_user_score of no UUID': [INVALID, 'subscribe_user_score', 'test-user-123'],
      'subscribe_user_score of another': ['Forbidden', 'subscribe_user_score', randomUUID()],
      'refresh_token without a token': [INVALID, 'refresh_token'],
      'refresh_token with none that is valid': [
        'Authentication failed',
        'refresh_token',
        { token: 'garbage' },
      ],
      'refresh_token of another user': [
        'Forbidden',
        'refresh_token',
        { token: token({ user: randomUUID(), role: 'viewer' }) },
      ],
      'ping of the wrong shape': [INVALID, 'ping', [1]],
    };
    for (const [what, [message, ...event]] of Object.entries(refusedEvents)) {
      it(`refuses ${what}: ${message}`, async () => {
        const socket = await asPlayer(await player(podium, 'Ada'));
        expectRefusal(await ask(socket, ...event), message);
        assert.deepEqual(await nextEvent(socket, 'error'), { message });
      });
    }

    it('refuses more events than a user has: Rate limit exceeded', async (t) => {
      const strict = await podiumForTest(t, { env: { PODIUM_LIMITS__EVENTS_PER_MINUTE: '3' } });
      const socket = await asViewer(strict);
      for (let i = 0; i < 3; i++) assert.equal((await ask(socket, 'ping')).ok, true);
      expectRefusal(await ask(socket, 'ping'), 'Rate limit exceeded');
      assert.deepEqual(await nextEvent(socket, 'error'), { message: 'Rate limit exceeded' });
    });

    const refusedHandshakes = {
      'Authentication token required': [{}, {}],
      'Authentication failed': [{}, { token: 'garbage' }],
      'User not found': [{}, { token: token({ user: randomUUID() }) }],
      'Rate limit exceeded': [
        { PODIUM_LIMITS__SOCKETS_PER_USER: '1' },
        { token: token({ user: randomUUID(), role: 'viewer' }) },
      ],
      'Too many connection attempts from this IP': [
        { PODIUM_LIMITS__SOCKETS_PER_IP: '1', PODIUM_LIMITS__ALLOW: '' },
        { token: token({ user: randomUUID(), role: 'viewer' }) },
      ],
    };
    for (const [message, [env, options]] of Object.entries(refusedHandshakes)) {
      it(`refuses a handshake: ${message}`, async (t) => {
        const strict = await podiumForTest(t, { env });
        // Where there is a limit of one, this one has it.
        if (Object.keys(env).length > 0) await join(options, strict);
        const refusal = await connectError(strict.url, { transports: [transport], ...options });
        assert.equal(refusal, message);
      });
    }

    it('sends leaderboard_refresh and scoreboard_update when a score changes', async (t) => {
      const quiet = await podiumForTest(t);
      const user = await player(quiet, 'Ada', 4);
      await told(quiet, user);
      const socket = await asViewer(quiet);
      await ask(socket, 'subscribe_scoreboard');
      const { seq } = await act(quiet.url, { userId: user, scoreIncrease: 1 });
      const update = await nextEvent(socket, 'scoreboard_update', (it) => it.newScore === 6);
      assert.deepEqual([update.type, update.newRank, update.oldRank], ['SCORE_UPDATE', 1, 1]);
      await nextEvent(socket, 'leaderboard_refresh', (board) => board.seq >= seq);
    });

    it('sends batch_update with NEW_LEADER and RANK_CHANGE when the lead changes', async (t) => {
      const quiet = await podiumForTest(t);
      const [ada, grace] = [await player(quiet, 'Ada', 9), await player(quiet, 'Grace', 5)];
      await told(quiet, ada);
      const socket = await asViewer(quiet);
      await ask(socket, 'subscribe_scoreboard');
      await act(quiet.url, { userId: grace, scoreIncrease: 10 });
      const led = (batch) => batch.some(({ type }) => type === 'NEW_LEADER');
      const batch = await nextEvent(socket, 'batch_update', led);
      assert.deepEqual(
        batch.map(({ type, userId }) => [type, userId]),
        [
          ['NEW_LEADER', grace],
          ['RANK_CHANGE', ada],
        ],
      );
    });

    it('sends scoreboard_delta to those in delta mode', async (t) => {
      const quiet = await podiumForTest(t);
      const user = await player(quiet, 'Ada', 5);
      const socket = await asViewer(quiet);
      await ask(socket, 'subscribe_scoreboard', { mode: 'delta' });
      await act(quiet.url, { userId: user, scoreIncrease: 1 });
      const changed = ({ changes }) => changes.some(({ score }) => score === 6);
      const delta = await nextEvent(socket, 'scoreboard_delta', changed);
      assert.ok(delta.from < delta.to);
    });

    it('sends user_score_update to who acted, and RANK_CHANGE to who was passed', async (t) => {
      const quiet = await podiumForTest(t);
      const [ada, grace] = [await player(quiet, 'Ada', 9), await player(quiet, 'Grace', 5)];
      await told(quiet, ada);
      const [acting, passed] = [await asPlayer(grace, quiet), await asPlayer(ada, quiet)];
      await actAll(quiet.url, [
        { userId: grace, scoreIncrease: 4 },
        { userId: grace, scoreIncrease: 6 },
      ]);
      const own = await nextEvent(acting, 'user_score_update', ({ score }) => score === 15);
      assert.deepEqual([own.rank, own.scoreIncrease, own.merged], [1, 10, 2]);
      const other = await nextEvent(passed, 'user_score_update', ({ rank }) => rank === 2);
      assert.deepEqual([other.actionType, other.scoreIncrease], ['RANK_CHANGE', 0]);
    });

    it('sends system_notification, at once and to late joiners', async () => {
      const socket = await asViewer();
      const admin = token({ user: randomUUID(), role: 'admin' });
      const body = { id: randomUUID(), message: 'Lunch', duration: 600_000 };
      await request(podium.url, 'POST', '/api/v1/notifications', { token: admin, body });
      const mine = ({ id }) => id === body.id;
      const now = await nextEvent(socket, 'system_notification', mine);
      assert.deepEqual(await nextEvent(await asViewer(), 'system_notification', mine), now);
    });

    it('sends session_expired when the token ends', async () => {
      const ending = token({ user: randomUUID(), role: 'viewer', ttlSeconds: 5 });
      const socket = await join({ token: ending });
      assert.deepEqual(await nextEvent(socket, 'session_expired'), {
        message: 'The token has expired',
      });
    });
  });
}
