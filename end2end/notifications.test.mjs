// Announcements of organisers, and achievements of players: who sees them, when,
// and for how long.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';

import { expectProblem } from './support/expect.mjs';
import { act, leaderboard, putUser, request, startPodium, token } from './support/podium.mjs';
import { connect, nextEvent, received, roundTrip } from './support/socket.mjs';
import { podiumForSuite, podiumForTest } from './support/suite.mjs';
import { NAVIGATES, visit } from './support/visit.mjs';

const ISO_8601 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

const admin = () => token({ user: randomUUID(), role: 'admin' });
const viewerToken = () => token({ user: randomUUID(), role: 'viewer' });

function post(podium, body, as = admin()) {
  return request(podium.url, 'POST', '/api/v1/notifications', { token: as, body });
}

/** Announces something; resolves to the answer of the server. */
async function announce(podium, body) {
  const { status, body: answer } = await post(podium, body);
  assert.equal(status, 201, JSON.stringify(answer));
  return answer;
}

async function player(podium, name = 'Ada') {
  const user = randomUUID();
  await putUser(podium.url, user, name);
  return user;
}

const connectAs = (podium, role, options) =>
  connect(podium.url, { token: token({ user: randomUUID(), role }), ...options });

const messages = (socket) => received(socket, 'system_notification').map(({ message }) => message);

/** The next banner with these words. */
const banner = (socket, words) =>
  nextEvent(socket, 'system_notification', ({ message }) => message === words);

/** What was to come before this has come. */
async function settled(podium, ...sockets) {
  const last = `settled ${randomUUID()}`;
  await announce(podium, { message: last });
  await Promise.all(sockets.map((socket) => banner(socket, last)));
}

describe('a notification', () => {
  const podium = podiumForSuite();

  for (const transport of ['websocket', 'polling']) {
    it(`reaches everybody over ${transport}, as the specification has it`, async () => {
      const socket = await connectAs(podium, 'viewer', { transports: [transport] });
      const id = randomUUID();
      const answer = await announce(podium, {
        id,
        type: 'MAINTENANCE',
        message: 'Doors open at nine',
        severity: 'warning',
        duration: 60_000,
      });
      const { timestamp, ...rest } = await nextEvent(
        socket,
        'system_notification',
        (it) => it.id === id,
      );
      assert.match(timestamp, ISO_8601);
      assert.deepEqual(rest, {
        id,
        type: 'MAINTENANCE',
        message: 'Doors open at nine',
        severity: 'warning',
        duration: 60_000,
      });
      const { seq, duplicate, ...shown } = answer;
      assert.deepEqual(shown, { ...rest, timestamp });
      assert.equal(duplicate, false);
      // It is about no board: this is how many facts `main` holds.
      assert.equal(seq, 0);
    });
  }

  it('is an alert for information unless it says otherwise', async () => {
    const socket = await connectAs(podium, 'viewer');
    await announce(podium, { message: 'Lunch' });
    const { type, severity, duration } = await banner(socket, 'Lunch');
    assert.deepEqual([type, severity, duration], ['SYSTEM_ALERT', 'info', undefined]);
  });

  it('to a role reaches that role alone', async () => {
    const user = await player(podium);
    const sockets = {
      viewer: await connectAs(podium, 'viewer'),
      player: await connect(podium.url, { token: token({ user }) }),
      publisher: await connectAs(podium, 'publisher'),
      admin: await connectAs(podium, 'admin'),
    };
    const to = (role) => `to ${role} ${user}`;
    for (const role of Object.keys(sockets)) await announce(podium, { message: to(role), role });
    await settled(podium, ...Object.values(sockets));
    for (const [role, socket] of Object.entries(sockets)) {
      const seen = messages(socket).filter((message) => message.endsWith(user));
      assert.deepEqual(seen, [to(role)]);
    }
  });

  it('to a user reaches all sockets of that user alone', async () => {
    const [user, other] = [await player(podium), await player(podium)];
    const sockets = [user, user, other].map((id) =>
      connect(podium.url, { token: token({ user: id }) }),
    );
    const [one, two, stranger] = await Promise.all(sockets);
    const message = `to ${user}`;
    await announce(podium, { message, userId: user });
    await Promise.all([banner(one, message), banner(two, message)]);
    await settled(podium, stranger);
    assert.ok(!messages(stranger).includes(message));
  });

  it('that is valid is shown to whoever comes later, and no other', async () => {
    const user = await player(podium);
    const [kept, gone, theirs] = ['kept', 'gone', 'theirs'].map((word) => `${word} ${user}`);
    const witness = await connectAs(podium, 'viewer');
    const first = await announce(podium, { message: kept, duration: 600_000 });
    const short = await announce(podium, { message: gone, duration: 1 });
    await announce(podium, { message: theirs, userId: user });
    await banner(witness, kept);
    // Its time is over when the clock says so, and nothing else does.
    while (Date.now() <= Date.parse(short.timestamp) + 1);

    const late = await connect(podium.url, { token: token({ user }) });
    assert.equal((await banner(late, kept)).id, first.id);
    await banner(late, theirs);
    await settled(podium, late);
    assert.ok(!messages(late).includes(gone));
    const stranger = await connectAs(podium, 'viewer');
    await settled(podium, stranger);
    assert.ok(messages(stranger).includes(kept));
    assert.ok(!messages(stranger).includes(theirs));
  });

  it('is shown at its time, and not before', async () => {
    const socket = await connectAs(podium, 'viewer');
    const at = new Date(Date.now() + 1_500).toISOString();
    const message = `later ${at}`;
    let cameAt;
    socket.on('system_notification', (it) => {
      if (it.message === message) cameAt ??= Date.now();
    });
    const answer = await announce(podium, { message, at });
    assert.equal(answer.timestamp, at);
    // What is said meanwhile does not bring it along.
    await settled(podium, socket);
    await banner(socket, message);
    assert.ok(cameAt >= Date.parse(at), `${at}, and it came at ${cameAt}`);
  });

  it('is sent once under one id', async () => {
    const socket = await connectAs(podium, 'viewer');
    const body = { id: randomUUID(), message: `once ${randomUUID()}` };
    const first = await announce(podium, body);
    const again = await post(podium, body);
    assert.equal(again.status, 200);
    assert.deepEqual([again.body.seq, again.body.duplicate], [first.seq, true]);
    assert.deepEqual(Object.keys(again.body).sort(), ['duplicate', 'id', 'seq']);
    expectProblem(await post(podium, { ...body, message: 'other' }), 409);
    const at = new Date(Date.now() + 600_000).toISOString();
    expectProblem(await post(podium, { ...body, at }), 409);
    await settled(podium, socket);
    assert.equal(messages(socket).filter((message) => message === body.message).length, 1);
  });

  const refused = {
    'without a message': {},
    'with an empty message': { message: '  ' },
    'with a message that turns text': { message: 'a\u202eb' },
    'with a message that is too long': { message: 'x'.repeat(501) },
    'of an unknown type': { message: 'a', type: 'GOSSIP' },
    'of an unknown severity': { message: 'a', severity: 'fatal' },
    'with a negative duration': { message: 'a', duration: -1 },
    'with no duration at all': { message: 'a', duration: 0 },
    'for longer than a week': { message: 'a', duration: 7 * 86_400_000 + 1 },
    'to an unknown role': { message: 'a', role: 'emperor' },
    'to a user who is no UUID': { message: 'a', userId: 'ada' },
    'to a role and a user': { message: 'a', role: 'viewer', userId: randomUUID() },
    'with an id that is no UUID': { message: 'a', id: '1' },
    'at a time that is none': { message: 'a', at: 'tomorrow' },
    'in ten years': { message: 'a', at: '2036-12-01T00:00:00Z' },
    'with a field that is unknown': { message: 'a', colour: 'red' },
  };
  for (const [what, body] of Object.entries(refused)) {
    it(`is refused ${what}`, async () => expectProblem(await post(podium, body), 422));
  }

  it('is an admin’s to send', async () => {
    const user = await player(podium);
    const body = { message: 'a' };
    for (const role of ['viewer', 'player', 'publisher']) {
      expectProblem(await post(podium, body, token({ user, role })), 403);
    }
    expectProblem(await post(podium, body, null), 401);
  });
});

describe('a restart', () => {
  it('keeps what is valid and what is to come, and puts neither on the board', async (t) => {
    const first = await startPodium();
    t.after(() => first.kill());
    const user = await player(first);
    await act(first.url, { userId: user, scoreIncrease: 5 });
    const at = new Date(Date.now() + 3_000).toISOString();
    const valid = await announce(first, { message: 'valid', duration: 600_000 });
    const later = await announce(first, { message: 'later', at });
    const { topScores } = await leaderboard(first.url);
    await first.kill();

    const second = await podiumForTest(t, { database: first.database });
    const board = await leaderboard(second.url);
    assert.deepEqual([board.topScores, board.seq], [topScores, later.seq]);
    const socket = await connectAs(second, 'viewer');
    assert.equal((await banner(socket, 'valid')).id, valid.id);
    assert.equal((await banner(socket, 'later')).id, later.id);
    assert.ok(Date.now() >= Date.parse(at));
  });
});

describe('an achievement', () => {
  const achievements = (socket) =>
    received(socket, 'system_notification').filter(({ type }) => type === 'ACHIEVEMENT');

  it('is to take first place, and everybody hears of the first time', async (t) => {
    const podium = await podiumForTest(t);
    const [ada, grace] = [await player(podium, 'Ada'), await player(podium, 'Grace')];
    const socket = await connectAs(podium, 'viewer');
    await act(podium.url, { userId: grace, scoreIncrease: 10 });
    const first = await banner(socket, 'Grace takes first place');
    assert.deepEqual([first.type, first.severity, first.duration], ['ACHIEVEMENT', 'info', 8000]);
    await act(podium.url, { userId: ada, scoreIncrease: 20 });
    await banner(socket, 'Ada takes first place');
    await act(podium.url, { userId: grace, scoreIncrease: 20 });
    await settled(podium, socket);
    assert.equal(achievements(socket).length, 2);
  });

  it('is to enter the top, and the player alone hears of it', async (t) => {
    const podium = await podiumForTest(t, { env: { PODIUM_ACHIEVEMENTS__TOP_PLACES: '2' } });
    const players = [];
    for (const name of ['Ada', 'Grace', 'Alan', 'Edsger']) players.push(await player(podium, name));
    for (const [i, userId] of players.entries()) {
      await act(podium.url, { userId, scoreIncrease: 40 - 10 * i });
    }
    const viewer = await connectAs(podium, 'viewer');
    const alan = await connect(podium.url, { token: token({ user: players[2] }) });
    await act(podium.url, { userId: players[2], scoreIncrease: 15 });
    await banner(alan, 'You are in the top 2');
    await settled(podium, viewer);
    assert.ok(!messages(viewer).includes('You are in the top 2'));
    assert.ok(!messages(viewer).includes('Alan is in the top 2'));
  });

  it('is nobody’s business where that is configured, after a restart too', async (t) => {
    const env = { PODIUM_ACHIEVEMENTS__FIRST_PLACE: 'nobody', PODIUM_ACHIEVEMENTS__TOP: 'nobody' };
    const podium = await podiumForTest(t, { env });
    const [ada] = [await player(podium, 'Ada'), await player(podium, 'Grace')];
    const socket = await connectAs(podium, 'viewer');
    await act(podium.url, { userId: ada, scoreIncrease: 1 });
    await settled(podium, socket);
    assert.deepEqual(achievements(socket), []);
  });

  it('was one before the server was started anew', async (t) => {
    const first = await startPodium();
    t.after(() => first.kill());
    const [ada, grace] = [await player(first, 'Ada'), await player(first, 'Grace')];
    await act(first.url, { userId: ada, scoreIncrease: 1 });
    await act(first.url, { userId: grace, scoreIncrease: 2 });
    await first.kill();
    const second = await podiumForTest(t, { database: first.database });
    const socket = await connectAs(second, 'viewer');
    await act(second.url, { userId: ada, scoreIncrease: 10 });
    await settled(second, socket);
    assert.deepEqual(achievements(socket), []);
  });
});

describe('somebody who is taken off the board', () => {
  const remove = (podium, user, as = token({ user: randomUUID(), role: 'publisher' })) =>
    request(podium.url, 'DELETE', `/api/v1/users/${user}`, { token: as });

  for (const transport of ['websocket', 'polling']) {
    it(`is told and disconnected over ${transport}, and let in no more`, async (t) => {
      const podium = await podiumForTest(t);
      const [user, other] = [await player(podium), await player(podium, 'Grace')];
      await act(podium.url, { userId: user, scoreIncrease: 9 });
      const socket = await connect(podium.url, {
        token: token({ user }),
        transports: [transport],
      });
      const witness = await connect(podium.url, { token: token({ user: other }) });
      witness.emit('subscribe_scoreboard');
      const gone = new Promise((resolve) => socket.once('disconnect', resolve));
      assert.equal((await remove(podium, user)).status, 204);
      assert.deepEqual(await nextEvent(socket, 'session_expired'), { message: 'User deleted' });
      assert.equal(await gone, 'io server disconnect');

      const alone = (board) => board.topScores.length === 1 && board.totalUsers === 1;
      const { topScores } = await nextEvent(witness, 'leaderboard_refresh', alone);
      assert.deepEqual([topScores[0].userId, topScores[0].rank], [other, 1]);
      await nextEvent(witness, 'user_score_update', ({ rank }) => rank === 1);
      await assert.rejects(
        connect(podium.url, { token: token({ user }), transports: [transport] }),
        /User not found/,
      );
      expectProblem(await request(podium.url, 'GET', `/api/v1/users/${user}`), 404);
      expectProblem(await remove(podium, user), 404);
    });
  }

  it('is taken off by publishers and admins alone', async (t) => {
    const podium = await podiumForTest(t);
    const user = await player(podium);
    expectProblem(await remove(podium, user, token({ user })), 403);
    expectProblem(await remove(podium, 'ada'), 400);
    assert.equal((await remove(podium, user, admin())).status, 204);
  });
});

describe('tokens that are revoked', () => {
  const revoke = (podium, user, as = admin()) =>
    request(podium.url, 'POST', `/api/v1/users/${user}/revoke`, { token: as });
  const issued = (user, role, seconds) =>
    token({ user, role, claims: { iat: Math.floor(Date.now() / 1000) + seconds } });

  it('close their sockets, and are taken nowhere', async (t) => {
    const podium = await podiumForTest(t);
    const user = randomUUID();
    const old = issued(user, 'publisher', -10);
    // By a clock that is ahead of the server's, and no later than old.
    const ahead = issued(user, 'publisher', 3);
    const undated = token({ user, role: 'publisher', claims: { iat: undefined } });
    const body = { username: 'Ada' };
    const put = (as) =>
      request(podium.url, 'PUT', `/api/v1/users/${randomUUID()}`, { token: as, body });
    const other = await connect(podium.url, { token: issued(randomUUID(), 'publisher', 0) });
    const sockets = [
      await connect(podium.url, { token: old }),
      await connect(podium.url, { token: ahead }),
    ];
    assert.equal((await put(old)).status, 201);

    const gone = sockets.map((it) => new Promise((resolve) => it.once('disconnect', resolve)));
    assert.equal((await revoke(podium, user)).status, 204);
    for (const socket of sockets) {
      assert.deepEqual(await nextEvent(socket, 'session_expired'), {
        message: 'The token was revoked',
      });
    }
    await Promise.all(gone);
    await roundTrip(other);
    const younger = issued(user, 'publisher', 0);
    for (const token of [old, ahead, undated]) {
      await assert.rejects(connect(podium.url, { token }), /Authentication failed/);
      expectProblem(await put(token), 401);
    }
    assert.equal((await put(younger)).status, 201);

    await podium.kill();
    const again = await podiumForTest(t, { database: podium.database });
    await assert.rejects(connect(again.url, { token: old }), /Authentication failed/);
  });

  it('sign nobody in, and renew nothing', async (t) => {
    const podium = await podiumForTest(t);
    const user = await player(podium);
    const old = issued(user, 'player', -10);
    await revoke(podium, user);
    const socket = await connect(podium.url, { token: issued(user, 'player', 0) });
    const link = await visit(podium, `/?token=${old}`, { headers: NAVIGATES });
    assert.deepEqual([link.location, link.cookies], ['/?signin=failed', []]);
    socket.emit('refresh_token', { token: old });
    assert.deepEqual(await nextEvent(socket, 'error'), { message: 'Authentication failed' });
  });

  it('are revoked by admins alone', async (t) => {
    const podium = await podiumForTest(t);
    const user = await player(podium);
    for (const role of ['viewer', 'player', 'publisher']) {
      expectProblem(await revoke(podium, user, token({ user, role })), 403);
    }
    expectProblem(await revoke(podium, 'ada'), 400);
  });
});

describe('a hundred who are passed', () => {
  it('all hear of their exact rank', async (t) => {
    const podium = await podiumForTest(t);
    const players = [];
    for (let i = 0; i < 101; i++) players.push(await player(podium, `P${i}`));
    const sockets = await Promise.all(
      players.slice(0, 100).map((user) => connect(podium.url, { token: token({ user }) })),
    );
    const { seq } = await act(podium.url, { userId: players[100], scoreIncrease: 1 });
    const updates = sockets.map((socket) =>
      nextEvent(socket, 'user_score_update', (update) => update.seq >= seq),
    );
    const told = (await Promise.all(updates)).map(({ actionType, scoreIncrease, rank }) => ({
      actionType,
      scoreIncrease,
      rank,
    }));
    const expected = players.slice(0, 100).map((_, i) => ({
      actionType: 'RANK_CHANGE',
      scoreIncrease: 0,
      rank: i + 2,
    }));
    assert.deepEqual(told, expected);
  });
});

describe('the token of a page', () => {
  it('is renewed for the same viewer', async (t) => {
    const podium = await podiumForTest(t);
    const claims = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
    const renew = async (old) => {
      const headers = old ? { authorization: `Bearer ${old}` } : {};
      return (await fetch(`${podium.url}/page/token`, { headers })).json();
    };
    const first = await renew();
    assert.equal(first.expiresIn, 3600);
    const again = await renew(first.token);
    assert.equal(claims(again.token).sub, claims(first.token).sub);
    assert.equal(claims(again.token).role, 'viewer');
    const socket = await connect(podium.url, { token: first.token });
    socket.emit('refresh_token', { token: again.token });
    await roundTrip(socket);
    assert.deepEqual(received(socket, 'error'), []);
    // Who shows the token of a player is no player by it.
    const strangers = [viewerToken().slice(0, -2), token({ user: randomUUID() })];
    for (const stranger of strangers) {
      const { token: renewed } = await renew(stranger);
      assert.notEqual(claims(renewed).sub, claims(first.token).sub);
      assert.equal(claims(renewed).role, 'viewer');
    }
  });
});
