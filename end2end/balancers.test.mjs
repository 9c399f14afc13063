// Three nodes of one board behind nginx and HAProxy, as docs/balancers sets them up: each
// transport of the official client, whose address it is that counts, and nodes that die
// or are replaced meanwhile.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { balancers, startBalancer } from './support/balancers.mjs';
import { act, action, freePort, leaderboard, postActions, putUser, request, startPodium, token } from './support/podium.mjs';
import { startRedis } from './support/redis.mjs';
import { connect, connectError, disconnectAll, nextEvent, roundTrip } from './support/socket.mjs';

const NODES = 3;
/** Nothing takes this long; it only turns a hang into a message. */
const SAFETY_MS = 30_000;
const TOO_MANY_OF_ADDRESS = 'Too many connection attempts from this IP';

/** The balancers are here; viewers come from other addresses of this machine. */
const BALANCER = '127.0.0.1';
const addresses = Array.from({ length: 12 }, (_, i) => `127.0.0.${i + 2}`);

/** Nodes of one board on a Redis of their own, behind a balancer; `env` is of each node. */
async function startNodes(balancer, env = () => ({})) {
  const ends = [];
  const stop = async () => {
    disconnectAll();
    for (const end of ends.toReversed()) await end();
  };
  try {
    const redis = await startRedis();
    ends.push(() => redis.kill());
    const ports = await Promise.all(Array.from({ length: NODES }, freePort));
    const nodes = [];
    const start = async (i) => {
      nodes[i] = await startPodium({
        redis: redis.address(),
        env: {
          LEPTOS_SITE_ADDR: `127.0.0.1:${ports[i]}`,
          PODIUM_SHUTDOWN__NOTICE: '3s',
          PODIUM_LIMITS__TRUSTED_PROXIES: BALANCER,
          ...env(i),
        },
      });
    };
    ends.push(() => Promise.all(nodes.map((node) => node.kill())));
    await Promise.all(ports.map((_, i) => start(i)));
    const { url, log, stop: stopBalancer } = await startBalancer(balancer, nodes);
    ends.push(stopBalancer);
    /** `start` starts another node where one has ended. */
    return { url, nodes, start, stop, log };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A viewer from this address, who watches the board whenever connected. */
async function watch(url, address, options) {
  const viewer = token({ user: randomUUID(), role: 'viewer' });
  const agent = new Agent({ localAddress: address, keepAlive: true });
  const socket = await connect(url, {
    token: viewer,
    agent,
    reconnection: true,
    reconnectionDelay: 50,
    reconnectionDelayMax: 500,
    ...options,
  });
  socket.on('connect', () => socket.emit('subscribe_scoreboard'));
  socket.emit('subscribe_scoreboard');
  return socket;
}

const watchAll = (url, options) =>
  Promise.all(addresses.map((address) => watch(url, address, options)));

/** How many sockets each node has. */
function socketsOf(nodes) {
  const count = async ({ url }) => {
    const { body } = await request(url, 'GET', '/metrics');
    return Number(/^podium_sockets (\d+)$/m.exec(body)[1]);
  };
  return Promise.all(nodes.map(count));
}

const busiest = (counts) => counts.indexOf(Math.max(...counts));

/** Acts once by the balancer; all viewers and all nodes must come to show what is then so. */
async function expectAllToShow({ url, nodes }, user, sockets) {
  const { seq } = await act(url, { userId: user, scoreIncrease: 1 });
  const isThere = (board) => board.seq >= seq;
  const shown = sockets.map((socket) => nextEvent(socket, 'leaderboard_refresh', isThere));
  const boards = await Promise.all([...shown, ...nodes.map((node) => boardWith(node, seq))]);
  const [expected] = boards;
  assert.equal(expected.seq, seq);
  for (const board of boards) {
    assert.deepEqual(
      [board.epoch, board.seq, board.topScores],
      [expected.epoch, expected.seq, expected.topScores],
    );
  }
}

/** The board of a node as soon as it has this entry: another node may have it first. */
async function boardWith({ url }, seq) {
  const until = Date.now() + SAFETY_MS;
  for (;;) {
    const board = await leaderboard(url);
    if (board.seq >= seq) return board;
    assert.ok(Date.now() < until, `${url} stays at ${board.seq}, before ${seq}`);
  }
}

/** Waits until the balancer brings viewers to a node that was not there: it looks every second. */
async function isUsed({ url, nodes }, at) {
  const until = Date.now() + SAFETY_MS;
  while ((await socketsOf(nodes))[at] === 0) {
    assert.ok(Date.now() < until, 'nobody comes to the new node');
    await roundTrip(await watch(url, addresses[0], { transports: ['websocket'] }));
  }
}

async function newPlayer(url) {
  const user = randomUUID();
  await putUser(url, user, 'Ada');
  return user;
}

for (const balancer of balancers) {
  describe(`${balancer} before three nodes`, () => {
    let cluster;
    let user;
    before(async () => {
      cluster = await startNodes(balancer);
      user = await newPlayer(cluster.url);
    });
    after(() => cluster?.stop());

    it('spreads WebSockets over all nodes, of one address too', async () => {
      const alone = { transports: ['websocket'] };
      const one = Array.from(addresses, () => watch(cluster.url, addresses[0], alone));
      const sockets = await Promise.all(one);
      const counts = await socketsOf(cluster.nodes);
      assert.ok(counts.every((count) => count > 0), `sockets by node: ${counts}`);
      await expectAllToShow(cluster, user, sockets);
      disconnectAll();
    });

    it('leads all requests of a polling session to its node', async () => {
      const sockets = await watchAll(cluster.url, { transports: ['polling'] });
      const counts = await socketsOf(cluster.nodes);
      assert.ok(counts.filter((count) => count > 0).length > 1, `sockets by node: ${counts}`);
      let lost = 0;
      for (const socket of sockets) socket.on('disconnect', () => (lost += 1));
      for (let round = 0; round < 5; round++) {
        await Promise.all(sockets.map(roundTrip));
        await expectAllToShow(cluster, user, sockets);
      }
      assert.equal(lost, 0);
      assert.ok(sockets.every((socket) => socket.io.engine.transport.name === 'polling'));
      disconnectAll();
    });

    it('leads a WebSocket to where polling began', async () => {
      const sockets = await watchAll(cluster.url, { transports: ['polling', 'websocket'] });
      const upgraded = ({ io: { engine } }) =>
        engine.transport.name === 'websocket' ||
        new Promise((resolve) => engine.once('upgrade', resolve));
      await Promise.all(sockets.map(upgraded));
      await Promise.all(sockets.map(roundTrip));
      await expectAllToShow(cluster, user, sockets);
      disconnectAll();
    });

    it('keeps the measures of a node to itself', async () => {
      assert.equal((await request(cluster.url, 'GET', '/metrics')).status, 404);
    });

    it('brings viewers of a node that dies to the others, and uses its successor', async () => {
      const sockets = [
        ...(await watchAll(cluster.url, { transports: ['websocket'] })),
        ...(await watchAll(cluster.url, { transports: ['polling'] })),
      ];
      await expectAllToShow(cluster, user, sockets);
      const victim = busiest(await socketsOf(cluster.nodes));
      await cluster.nodes[victim].kill();
      const left = cluster.nodes.filter((_, i) => i !== victim);
      await expectAllToShow({ url: cluster.url, nodes: left }, user, sockets);
      disconnectAll();

      await cluster.start(victim);
      await isUsed(cluster, victim);
      disconnectAll();
    });

    it('fails no request while nodes are replaced one after the other', async () => {
      const sockets = await watchAll(cluster.url, { transports: ['websocket'] });
      const failures = [];
      for (let i = 0; i < NODES; i++) {
        const stopped = cluster.nodes[i].stop();
        let isStopped = false;
        stopped.then(() => (isStopped = true));
        while (!isStopped) {
          const answers = [
            await request(cluster.url, 'GET', '/api/v1/leaderboard'),
            await request(cluster.url, 'GET', '/'),
          ];
          answers.push(await postActions(cluster, action({ userId: user, scoreIncrease: 1 })));
          failures.push(...answers.filter(({ status }) => status !== 200));
          const viewer = await watch(cluster.url, addresses[i], { transports: ['websocket'] });
          await roundTrip(viewer);
          // One comes and goes: of hundreds who stay all would come to the others at once.
          viewer.disconnect();
        }
        await cluster.start(i);
        // As one who replaces nodes waits: two of them are enough, and one may not be.
        await isUsed(cluster, i);
      }
      assert.deepEqual(failures, [], cluster.log());
      await expectAllToShow(cluster, user, sockets);
    });
  });

  describe(`${balancer} before nodes of two versions`, () => {
    it('finds the files of both', async (t) => {
      const folder = mkdtempSync(join(tmpdir(), 'podium-site-'));
      t.after(() => rmSync(folder, { recursive: true }));
      const siteOf = (i) => join(folder, i === 0 ? 'new' : 'old');
      for (const i of [0, 1]) {
        mkdirSync(join(siteOf(i), 'pkg'), { recursive: true });
        writeFileSync(join(siteOf(i), 'pkg', `${i}.txt`), `file ${i}`);
      }
      const cluster = await startNodes(balancer, (i) => ({ LEPTOS_SITE_ROOT: siteOf(i) }));
      t.after(() => cluster.stop());
      for (const file of [0, 1]) {
        // In turn, or at random: each node is asked first at some time.
        for (let i = 0; i < 5 * NODES; i++) {
          const { status, body } = await request(cluster.url, 'GET', `/pkg/${file}.txt`);
          assert.deepEqual([status, body], [200, `file ${file}`]);
        }
      }
      for (let i = 0; i < NODES; i++) {
        assert.equal((await request(cluster.url, 'GET', '/pkg/2.txt')).status, 404);
      }
      // That a file is missing is no reason to leave a node.
      const user = await newPlayer(cluster.url);
      const viewers = await watchAll(cluster.url, { transports: ['websocket'] });
      await expectAllToShow(cluster, user, viewers);
      const counts = await socketsOf(cluster.nodes);
      assert.ok(counts.every((count) => count > 0), `sockets by node: ${counts}`);
    });
  });

  describe(`whose address it is behind ${balancer}`, () => {
    const LIMIT = 5;
    // Each node counts by itself, and a polling viewer meets one alone.
    const ADMITTED = { websocket: NODES * LIMIT, polling: LIMIT };
    for (const [transport, admitted] of Object.entries(ADMITTED)) {
      it(`is the viewer's own, whatever a viewer says, over ${transport}`, async (t) => {
        const cluster = await startNodes(balancer, () => ({
          PODIUM_LIMITS__ALLOW: '',
          PODIUM_LIMITS__CONNECTIONS_PER_IP: String(LIMIT),
        }));
        t.after(() => cluster.stop());
        const [greedy, other] = addresses;
        const from = (address, headers) => ({
          token: token({ user: randomUUID(), role: 'viewer' }),
          transports: [transport],
          agent: new Agent({ localAddress: address }),
          extraHeaders: headers,
        });
        for (let i = 0; i < admitted; i++) await connect(cluster.url, from(greedy));
        assert.equal(await connectError(cluster.url, from(greedy)), TOO_MANY_OF_ADDRESS);
        for (let i = 0; i < NODES; i++) {
          const forged = from(greedy, { 'x-forwarded-for': `192.0.2.${i}` });
          assert.equal(await connectError(cluster.url, forged), TOO_MANY_OF_ADDRESS);
        }
        await roundTrip(await connect(cluster.url, from(other)));
      });
    }
  });
}
