// How much an address or a user may do, and whose address it is behind a proxy.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';

import { crowd } from './support/crowd.mjs';
import { request, token } from './support/podium.mjs';
import { openPolling } from './support/polling.mjs';
import { connect, connectError, nextEvent, received, roundTrip } from './support/socket.mjs';
import { podiumForTest } from './support/suite.mjs';

const TOO_MANY_OF_ADDRESS = 'Too many connection attempts from this IP';
const TOO_MANY_OF_USER = 'Rate limit exceeded';
const GIVEN_BACK_WITHIN_MS = 30_000;
/** How long a token lives whose end a test awaits: longer than it takes to connect. */
const LIVES_S = 6;

const viewer = (user = randomUUID(), ttlSeconds) => token({ user, role: 'viewer', ttlSeconds });

/** The settings of `limits`, this machine being no exception to them. */
function limits(settings) {
  const entries = Object.entries({ ALLOW: '', ...settings });
  return Object.fromEntries(entries.map(([key, value]) => [`PODIUM_LIMITS__${key}`, String(value)]));
}

/** So many connections and events that they are not what refuses. */
const plenty = { CONNECTIONS_PER_IP: 100_000, EVENTS_PER_MINUTE: 100_000 };

/**
 * A socket, as soon as there is a place for it: the server takes a moment to see
 * that another has ended. Until then it must refuse with exactly this message.
 */
async function connectOnceFree(url, options, refusal) {
  const deadline = Date.now() + GIVEN_BACK_WITHIN_MS;
  while (Date.now() < deadline) {
    try {
      return await connect(url, options);
    } catch (error) {
      assert.equal(error.message, `the server refused the socket: ${refusal}`);
    }
  }
  throw new Error(`no place was given back within ${GIVEN_BACK_WITHIN_MS} ms`);
}

/** How a socket may end. */
const endings = {
  'its client leaves': (socket) => socket.disconnect(),
  'its transport is lost': (socket) => socket.io.engine.transport.ws.terminate(),
  'its token ends': (socket) => nextEvent(socket, 'session_expired'),
};

describe('an address with too many connections', () => {
  const env = limits({ CONNECTIONS_PER_IP: 3 });
  for (const transport of ['websocket', 'polling']) {
    it(`is refused in so many words over ${transport}`, async (t) => {
      const podium = await podiumForTest(t, { env });
      const options = { token: viewer(), transports: [transport] };
      for (let i = 0; i < 3; i++) await roundTrip(await connect(podium.url, options));
      assert.equal(await connectError(podium.url, options), TOO_MANY_OF_ADDRESS);
    });
  }

  it('is refused before its token is looked at', async (t) => {
    const podium = await podiumForTest(t, { env });
    for (let i = 0; i < 3; i++) {
      assert.equal(await connectError(podium.url, { token: 'forged' }), 'Authentication failed');
    }
    assert.equal(await connectError(podium.url, { token: 'forged' }), TOO_MANY_OF_ADDRESS);
  });

  it('is not even answered when it goes on, and told when to come again', async (t) => {
    const podium = await podiumForTest(t, { env });
    const begin = () => fetch(new URL('/socket.io/?EIO=4&transport=polling', podium.url));
    for (let i = 0; i < 6; i++) assert.equal((await begin()).status, 200);
    const response = await begin();
    assert.equal(response.status, 429);
    // Six in 15 minutes are one each 150 seconds.
    const seconds = Number(response.headers.get('retry-after'));
    assert.ok(seconds > 100 && seconds <= 150, `Retry-After: ${seconds}`);
    // The page and the API are not the hub.
    assert.equal((await fetch(podium.url)).status, 200);
  });
});

describe('an address with too many sockets', { concurrency: true }, () => {
  const env = limits({ ...plenty, SOCKETS_PER_IP: 3 });
  for (const [name, end] of Object.entries(endings)) {
    it(`may have another when ${name}, and only one`, async (t) => {
      const podium = await podiumForTest(t, { env });
      for (let i = 0; i < 2; i++) await connect(podium.url, { token: viewer() });
      const ending = await connect(podium.url, { token: viewer(undefined, LIVES_S) });
      assert.equal(await connectError(podium.url, { token: viewer() }), TOO_MANY_OF_ADDRESS);
      await end(ending);
      await connectOnceFree(podium.url, { token: viewer() }, TOO_MANY_OF_ADDRESS);
      assert.equal(await connectError(podium.url, { token: viewer() }), TOO_MANY_OF_ADDRESS);
    });
  }

  it('has none left for those who never join, until they are closed', async (t) => {
    const podium = await podiumForTest(t, { env });
    await openPolling(podium.url);
    await openPolling(podium.url);
    const refused = await openPolling(podium.url);
    await refused.connect('forged');
    assert.equal(await connectError(podium.url, { token: viewer() }), TOO_MANY_OF_ADDRESS);
    for (let i = 0; i < 3; i++) {
      await connectOnceFree(podium.url, { token: viewer() }, TOO_MANY_OF_ADDRESS);
    }
    assert.equal(await connectError(podium.url, { token: viewer() }), TOO_MANY_OF_ADDRESS);
  });

  it('counts a socket once that begins with polling and goes on with WebSocket', async (t) => {
    const podium = await podiumForTest(t, { env });
    const transports = ['polling', 'websocket'];
    for (let i = 0; i < 3; i++) {
      const socket = await connect(podium.url, { token: viewer(), transports });
      const { engine } = socket.io;
      if (engine.transport.name === 'polling') {
        await new Promise((resolve) => engine.once('upgrade', resolve));
      }
      await roundTrip(socket);
    }
    assert.equal(await connectError(podium.url, { token: viewer() }), TOO_MANY_OF_ADDRESS);
  });
});

describe('a client that connects twice by one session', () => {
  for (const transport of ['websocket', 'polling']) {
    it(`loses it, and comes back by another one, over ${transport}`, async (t) => {
      const podium = await podiumForTest(t, { env: limits(plenty) });
      const credentials = { token: viewer() };
      const socket = await connect(podium.url, { ...credentials, transports: [transport] });
      const lost = new Promise((resolve) => socket.once('disconnect', resolve));
      socket.io.engine.write(`0${JSON.stringify(credentials)}`);
      assert.match(await lost, /^transport/);
      await roundTrip(await connect(podium.url, { ...credentials, transports: [transport] }));
    });
  }

  it('may try another token when the first was refused', async (t) => {
    const podium = await podiumForTest(t, { env: limits(plenty) });
    const session = await openPolling(podium.url);
    await session.connect('forged');
    await session.connect(viewer());
    await session.emit('ping');
    let events = [];
    while (events.length === 0) events = await session.read();
    assert.deepEqual(events[0][0], 'pong');
  });
});

describe('a user with too many sockets', { concurrency: true }, () => {
  const env = limits({ ...plenty, SOCKETS_PER_USER: 3 });
  for (const [name, end] of Object.entries(endings)) {
    it(`may have another when ${name}, and only one`, async (t) => {
      const podium = await podiumForTest(t, { env });
      const user = randomUUID();
      for (let i = 0; i < 2; i++) await connect(podium.url, { token: viewer(user) });
      const ending = await connect(podium.url, { token: viewer(user, LIVES_S) });
      assert.equal(await connectError(podium.url, { token: viewer(user) }), TOO_MANY_OF_USER);
      // Others have places of their own.
      await roundTrip(await connect(podium.url, { token: viewer() }));
      await end(ending);
      await connectOnceFree(podium.url, { token: viewer(user) }, TOO_MANY_OF_USER);
      assert.equal(await connectError(podium.url, { token: viewer(user) }), TOO_MANY_OF_USER);
    });
  }
});

describe('a user who has used up the events of the minute', () => {
  const env = limits({ EVENTS_PER_MINUTE: 3 });

  it('gets no new socket, and others do', async (t) => {
    const podium = await podiumForTest(t, { env });
    const user = randomUUID();
    const socket = await connect(podium.url, { token: viewer(user) });
    for (let i = 0; i < 3; i++) await roundTrip(socket);
    // All events are used, and none was refused yet.
    await connect(podium.url, { token: viewer(user) });
    socket.emit('ping');
    assert.deepEqual(await nextEvent(socket, 'error'), { message: 'Rate limit exceeded' });
    assert.equal(await connectError(podium.url, { token: viewer(user) }), TOO_MANY_OF_USER);
    const forged = token({ user, role: 'viewer', secret: 'another key, of enough bytes to sign' });
    assert.equal(await connectError(podium.url, { token: forged }), 'Authentication failed');
    await roundTrip(await connect(podium.url, { token: viewer() }));
  });

  it('may not connect without end either, and has all events whatever the connections', async (t) => {
    const podium = await podiumForTest(t, { env });
    const user = randomUUID();
    let socket;
    for (let i = 0; i < 3; i++) socket = await connect(podium.url, { token: viewer(user) });
    assert.equal(await connectError(podium.url, { token: viewer(user) }), TOO_MANY_OF_USER);
    for (let i = 0; i < 3; i++) await roundTrip(socket);
    assert.deepEqual(received(socket, 'error'), []);
    socket.emit('ping');
    assert.deepEqual(await nextEvent(socket, 'error'), { message: 'Rate limit exceeded' });
  });
});

describe('a venue whose guests share one address', () => {
  /** More than the limits of one address, which are 100 connections and 200 sockets. */
  const GUESTS = 250;
  const arrive = (podium, options) =>
    crowd(GUESTS, async () => {
      const socket = await connect(podium.url, { token: viewer(), ...options });
      await roundTrip(socket);
    });

  it('gets everybody in when it is allowed', async (t) => {
    const env = limits({ ALLOW: '192.0.2.0/24,127.0.0.1' });
    await arrive(await podiumForTest(t, { env }));
  });

  it('gets everybody in when it is allowed, through a proxy', async (t) => {
    const env = limits({ ALLOW: '192.0.2.0/24', TRUSTED_PROXIES: '127.0.0.1' });
    const podium = await podiumForTest(t, { env });
    await arrive(podium, { extraHeaders: { 'x-forwarded-for': '192.0.2.7' } });
  });

  it('has the limits of one address otherwise', async (t) => {
    const podium = await podiumForTest(t, { env: limits({}) });
    await assert.rejects(arrive(podium), /the server refused the socket/);
  });
});

describe('a proxy', () => {
  for (const transport of ['websocket', 'polling']) {
    const from = (forwarded) => ({
      token: viewer(),
      transports: [transport],
      extraHeaders: { 'x-forwarded-for': forwarded },
    });

    it(`that is trusted says whose a connection is, over ${transport}`, async (t) => {
      const env = limits({ TRUSTED_PROXIES: '10.0.0.0/8,127.0.0.0/8', CONNECTIONS_PER_IP: 2 });
      const podium = await podiumForTest(t, { env });
      // What stands left of the client's own address was written by the client.
      for (const [one, other, third] of [
        ['192.0.2.1', '192.0.2.1:5678', '203.0.113.9, 192.0.2.1'],
        ['198.51.100.1, 192.0.2.2', '198.51.100.2, 192.0.2.2, 10.0.0.2', '10.0.0.2, 192.0.2.2'],
        ['2001:db8::1', '[2001:db8::2]:5678', '2001:db8::3'],
        // The proxy itself is who is left.
        ['nonsense', '192.0.2.3, nonsense', ''],
      ]) {
        await connect(podium.url, from(one));
        await connect(podium.url, from(other));
        assert.equal(await connectError(podium.url, from(third)), TOO_MANY_OF_ADDRESS, third);
      }
    });

    it(`that is not trusted says nothing, over ${transport}`, async (t) => {
      const env = limits({ TRUSTED_PROXIES: '10.0.0.0/8', CONNECTIONS_PER_IP: 2, ALLOW: '192.0.2.9' });
      const podium = await podiumForTest(t, { env });
      await connect(podium.url, from('192.0.2.1'));
      await connect(podium.url, from('192.0.2.2, 10.0.0.1'));
      assert.equal(await connectError(podium.url, from('192.0.2.9')), TOO_MANY_OF_ADDRESS);
    });
  }
});

describe('a server that is about to stop', () => {
  it('says when to ask again', async (t) => {
    const podium = await podiumForTest(t, { env: { PODIUM_SHUTDOWN__NOTICE: '30s' } });
    const ask = () => fetch(new URL('/readyz', podium.url));
    assert.equal((await ask()).headers.get('retry-after'), null);
    // It does not wait for an empty house.
    const guest = await connect(podium.url, { token: viewer() });
    const stopped = podium.stop();
    let response;
    do response = await ask();
    while (response.status === 200);
    assert.equal(response.status, 503);
    assert.equal(response.headers.get('retry-after'), '1');
    guest.disconnect();
    assert.equal((await stopped).code, 0);
  });
});
