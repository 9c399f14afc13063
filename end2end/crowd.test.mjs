// A crowd behind one address, with 100 connections as by default, but in 25 hours, so that
// there is not one more before a test is over. Its clients come back when the network fails for a moment, those who are
// signed in count for themselves, and nobody else gains by any of it.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { get } from 'node:http';
import { describe, it } from 'node:test';

import { io } from 'socket.io-client';

import { crowd } from './support/crowd.mjs';
import { act, newUser, putUser, token } from './support/podium.mjs';
import { openPolling } from './support/polling.mjs';
import { connect, connectError, roundTrip } from './support/socket.mjs';
import { podiumForTest } from './support/suite.mjs';
import { cookieOf } from './support/visit.mjs';

const TOO_MANY_OF_ADDRESS = 'Too many connection attempts from this IP';
const LIMIT = 100;

/** One more connection each 15 minutes. */
const env = { PODIUM_LIMITS__ALLOW: '', PODIUM_LIMITS__CONNECTIONS_WINDOW: '25h' };
const viewer = (user = randomUUID()) => token({ user, role: 'viewer' });

/** A stock client: it comes back by itself, a second or so after it has lost its link. */
const stock = (podium, transports = ['websocket']) =>
  connect(podium.url, { token: viewer(), transports, reconnection: true });

/** The link breaks: no goodbye, and nothing of what was under way. */
function cut(socket) {
  const { transport } = socket.io.engine;
  if (transport.name === 'websocket') transport.ws.terminate();
  else transport._pollXhr?.abort?.();
}

/** Cuts a socket, and resolves when it is there again, or was refused: to why it was. */
function back(socket) {
  return new Promise((resolve) => {
    socket.once('connect', () => roundTrip(socket).then(() => resolve('there again')));
    // From a refusal a stock client does not come back.
    socket.on('connect_error', (error) => socket.active || resolve(error.message));
    cut(socket);
  });
}

/** Opens a WebSocket and joins by it, or is refused; and breaks the link. */
async function hitAndRun(podium) {
  const socket = io(podium.url, {
    transports: ['websocket'],
    forceNew: true,
    reconnection: false,
    auth: { token: viewer() },
  });
  return new Promise((resolve) => {
    socket.once('connect', () => {
      cut(socket);
      resolve('joined');
    });
    socket.once('connect_error', (error) => {
      socket.disconnect();
      resolve(error.message);
    });
  });
}

describe('a hundred stock clients behind one address', () => {
  it('all come back when all links break at once, and nobody beside them comes in', async (t) => {
    const podium = await podiumForTest(t, { env });
    const sockets = await crowd(LIMIT, () => stock(podium));
    assert.equal(await connectError(podium.url, { token: viewer() }), TOO_MANY_OF_ADDRESS);
    const outcomes = await Promise.all(sockets.map(back));
    assert.deepEqual([...new Set(outcomes)], ['there again']);
    assert.equal(await connectError(podium.url, { token: viewer() }), TOO_MANY_OF_ADDRESS);
  });

  it('that poll come back too', async (t) => {
    const podium = await podiumForTest(t, { env });
    // What polls is a request: one that its client has given up is a link that broke.
    const aborted = async () => {
      const session = await openPolling(podium.url);
      await session.connect(viewer());
      const poll = get(session.url, { agent: false });
      poll.on('error', () => {});
      // What the server has not seen is no link.
      await once(poll, 'finish');
      return { poll, session };
    };
    const clients = await crowd(LIMIT, aborted);
    assert.equal(await connectError(podium.url, { token: viewer() }), TOO_MANY_OF_ADDRESS);
    for (const { poll } of clients) poll.destroy();
    for (const { session } of clients) while (await session.isOpen());
    await crowd(LIMIT, () => connect(podium.url, { token: viewer() }));
    assert.equal(await connectError(podium.url, { token: viewer() }), TOO_MANY_OF_ADDRESS);
  });
});

describe('a hundred pages behind one address, of which each remains the same viewer', () => {
  const open = (podium, tokens) =>
    crowd(tokens.length, (i) => connect(podium.url, { token: tokens[i] }));
  const liveIn = async (podium, token) => {
    const headers = { authorization: `Bearer ${token}` };
    return (await fetch(new URL('/page/rows', podium.url), { headers })).headers.get('live-in');
  };

  it('come back when they have ended their links themselves, and nobody else', async (t) => {
    const podium = await podiumForTest(t, { env });
    const tokens = Array.from({ length: LIMIT }, () => viewer());
    const sockets = await open(podium, tokens);
    for (const socket of sockets) socket.disconnect();
    assert.equal(await connectError(podium.url, { token: viewer() }), TOO_MANY_OF_ADDRESS);
    assert.equal(await liveIn(podium, tokens[0]), '0');
    assert.ok(Number(await liveIn(podium, viewer())) > 600);
    await open(podium, tokens);
    assert.equal(await connectError(podium.url, { token: viewer() }), TOO_MANY_OF_ADDRESS);
  });
});

describe('an anonymous flood', () => {
  it('that breaks its own links begins twice as many sessions at most', async (t) => {
    const podium = await podiumForTest(t, { env });
    let joined = 0;
    for (let i = 0; i < 50; i++) {
      const outcomes = await crowd(10, () => hitAndRun(podium));
      joined += outcomes.filter((outcome) => outcome === 'joined').length;
    }
    assert.ok(joined >= LIMIT && joined <= 2 * LIMIT + 5, `${joined} joined`);
  });

  it('gains nothing by sessions that it does not join, nor by tokens of pages', async (t) => {
    const podium = await podiumForTest(t, { env });
    const page = await (await fetch(new URL('/page/token', podium.url))).json();
    const begin = (i) =>
      fetch(new URL('/socket.io/?EIO=4&transport=polling', podium.url), {
        headers:
          i % 2 === 0
            ? { authorization: `Bearer ${page.token}` }
            : { cookie: cookieOf({ podium_token: page.token }) },
      });
    const statuses = [];
    for (let i = 0; i < 3 * LIMIT; i++) statuses.push((await begin(i)).status);
    const opened = statuses.filter((status) => status === 200).length;
    assert.ok(opened >= 2 * LIMIT && opened <= 2 * LIMIT + 5, `${opened} were opened`);
  });
});

describe('signed-in users behind one address', () => {
  it('all come in whatever else comes from there, and take nothing from others', async (t) => {
    const podium = await podiumForTest(t, { env });
    const users = [];
    for (let i = 0; i < 130; i++) users.push(await newUser(podium, `Player ${i}`));
    await crowd(130, (i) => connect(podium.url, { token: token({ user: users[i] }) }));
    await crowd(LIMIT, () => connect(podium.url, { token: viewer() }));
    assert.equal(await connectError(podium.url, { token: viewer() }), TOO_MANY_OF_ADDRESS);
    // Over its limits, the address still has room for who is somebody.
    await roundTrip(await connect(podium.url, { token: token({ user: users[0] }) }));
    const admin = token({ user: randomUUID(), role: 'admin' });
    await roundTrip(await connect(podium.url, { token: admin }));
  });

  it('have limits of their own', async (t) => {
    const podium = await podiumForTest(t, {
      env: { ...env, PODIUM_LIMITS__SOCKETS_PER_USER: '3' },
    });
    const user = await newUser(podium);
    for (let i = 0; i < 3; i++) await connect(podium.url, { token: token({ user }) });
    const refused = await connectError(podium.url, { token: token({ user }) });
    assert.equal(refused, 'Rate limit exceeded');
    const headers = { cookie: cookieOf({ podium_token: token({ user }) }) };
    const rows = await fetch(new URL('/page/rows', podium.url), { headers });
    assert.equal(rows.headers.get('live-in'), 'unknown');
    // What is refused counts for the address, so it has an end.
    const attempts = [];
    for (let i = 0; i < 2 * LIMIT + 10; i++) {
      attempts.push(await connectError(podium.url, { token: token({ user }) }));
    }
    assert.match(attempts.at(-1), /websocket error/);
  });

  it('are known by the cookie of the page even where their address is flooded', async (t) => {
    const podium = await podiumForTest(t, { env });
    const user = await newUser(podium);
    const open = (headers) =>
      fetch(new URL('/socket.io/?EIO=4&transport=polling', podium.url), { headers });
    for (let i = 0; i < 2 * LIMIT; i++) await open({});
    assert.equal((await open({})).status, 429);
    const cookie = cookieOf({ podium_token: token({ user }) });
    assert.equal((await open({ cookie })).status, 200);
    const authorization = `Bearer ${token({ user })}`;
    assert.equal((await open({ authorization })).status, 200);
    for (const forged of ['x', token({ user, secret: 'another key, of enough bytes to sign' })]) {
      assert.equal((await open({ cookie: cookieOf({ podium_token: forged }) })).status, 429);
    }
    const stranger = cookieOf({ podium_token: token({ user: randomUUID() }) });
    assert.equal((await open({ cookie: stranger })).status, 429);
  });
});

describe('the rows of a page that is not live', () => {
  const ask = (podium, path, headers = {}) => fetch(new URL(path, podium.url), { headers });

  it('are those of the board, and asked for again they are none while it is the same', async (t) => {
    const podium = await podiumForTest(t, { env });
    for (let i = 0; i < 60; i++) {
      const id = randomUUID();
      await putUser(podium.url, id, `Player ${i}`);
      await act(podium.url, { userId: id, scoreIncrease: i + 1 });
    }
    const first = await ask(podium, '/page/rows');
    assert.equal(first.headers.get('cache-control'), 'private, no-cache');
    const board = await first.json();
    assert.equal(board.topScores[0].score, 60);
    assert.equal(board.topScores.length, 10);
    const second = await (await ask(podium, '/page/rows?page=2')).json();
    assert.deepEqual([second.page, second.topScores[0].rank], [1, 51]);
    assert.equal((await ask(podium, '/page/rows?page=0')).status, 404);

    const known = { 'if-none-match': first.headers.get('etag') };
    assert.equal((await ask(podium, '/page/rows', known)).status, 304);
    const userId = board.topScores[0].userId;
    await act(podium.url, { userId, scoreIncrease: 1 });
    const changed = await ask(podium, '/page/rows', known);
    assert.equal((await changed.json()).topScores[0].score, 61);
  });

  it('say when each page of the address may connect, in the order in which they wait', async (t) => {
    const podium = await podiumForTest(t, { env });
    const liveIn = async (shown) => {
      const answer = await ask(podium, '/page/rows', { authorization: `Bearer ${shown}` });
      return answer.headers.get('live-in');
    };
    const [one, other] = [viewer(), viewer()];
    assert.equal(await liveIn(one), '0');
    const sockets = await crowd(LIMIT, () => connect(podium.url, { token: viewer() }));
    const between = (seconds, least, most) =>
      assert.ok(seconds >= least && seconds <= most, `in ${seconds} s`);
    between(Number(await liveIn(one)), 600, 901);
    between(Number(await liveIn(other)), 1500, 1801);
    between(Number(await liveIn(one)), 600, 901);
    assert.equal(await liveIn('nonsense'), 'unknown');
    const user = await newUser(podium);
    const cookie = cookieOf({ podium_token: token({ user }) });
    const signedIn = await ask(podium, '/page/rows', { cookie });
    assert.equal(signedIn.headers.get('live-in'), '0');
    assert.equal(sockets.length, LIMIT);
  });
});

describe('the log of a server that refuses a crowd', () => {
  it('names the address and the settings, once', async (t) => {
    const podium = await podiumForTest(t, {
      env: { ...env, PODIUM_LIMITS__CONNECTIONS_PER_IP: '2', NO_COLOR: '1' },
    });
    for (let i = 0; i < 2; i++) await connect(podium.url, { token: viewer() });
    for (let i = 0; i < 2; i++) await connectError(podium.url, { token: viewer() });
    await podium.stop();
    const log = await podium.log.ended;
    const lines = podium.log.linesWith('connections_per_ip');
    assert.equal(lines.length, 1, log);
    assert.match(lines[0], /127\.0\.0\.1/);
    assert.match(lines[0], /limits\.allow/);
  });
});
