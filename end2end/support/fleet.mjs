// Several nodes on one Redis, clients who watch each of them, and publishers who send
// to all. In the end everybody has to show the same board.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';

import { expectActionAnswer } from './expect.mjs';
import {
  action,
  actAll,
  leaderboard,
  newUser,
  postActions,
  putUser,
  request,
  startPodium,
  token,
} from './podium.mjs';
import { startRedis } from './redis.mjs';
import { disconnectAll } from './socket.mjs';
import { BoardView } from './view.mjs';
import { OfficialWire } from './wires.mjs';

/** Some of the players are on no visible board. */
export const TOP = 8;
const PLAYERS = 12;
const PAGE = 50;

/**
 * So long after Redis or a node is back, everybody shows the same. The promise is 5 s, where
 * nodes have the machine to themselves: here three share it with Redis, a dozen clients and
 * other tests.
 */
export const CONVERGED_WITHIN_MS = 20_000;
/** Nothing takes this long; it only turns a hang into a message. */
const SAFETY_MS = 30_000;
/** Between two looks at what nothing announces. */
const LOOK_MS = 20;

/** Of each node. Every second one is a player. */
const WATCHERS = [
  { transport: 'websocket', watched: { mode: 'full' } },
  { transport: 'websocket', watched: { mode: 'delta' } },
  { transport: 'polling', watched: { mode: 'delta', page: 0 } },
  { transport: 'polling', watched: { mode: 'full' } },
];

/** Waits until `look` resolves to nothing, which until then says what is wrong. */
export async function eventually(look, by = Date.now() + SAFETY_MS) {
  for (;;) {
    const wrong = await look();
    if (wrong === undefined) return;
    if (Date.now() > by) throw new Error(wrong);
    await pause(LOOK_MS);
  }
}

/** Somebody at one of the nodes, who comes back at another when theirs is gone. */
class Watcher {
  view = new BoardView();
  /** The latest update of their own score. */
  own;
  /** Messages of all banners so far. */
  banners = [];
  counts = { refreshes: 0, deltas: 0 };
  /** Why a server ended their session. */
  expired;
  /** Why they were refused when they came the last time, if they were. */
  refused;
  /** Up to where this connection has told of each kind. */
  #heard = {};
  /** The first thing that a server must never do and did. */
  #failure;
  #fleet;
  #at;
  #wire;
  #hasLeft = false;

  constructor(fleet, at, { transport, watched, user }) {
    this.#fleet = fleet;
    this.#at = at;
    this.transport = transport;
    this.watched = watched;
    this.user = user;
  }

  toString() {
    return `who watches ${JSON.stringify(this.watched)} of node ${this.#at} by ${this.transport}`;
  }

  async come() {
    const node = this.#fleet.nodes[this.#at];
    const identity = this.user ? { user: this.user } : { user: randomUUID(), role: 'viewer' };
    const wire = new OfficialWire(node.url, token(identity), this.transport);
    this.#wire = wire;
    wire.onConnect = () => {
      this.#heard = {};
      const known = this.watched.mode === 'delta' ? this.view.position : {};
      wire.emit('subscribe_scoreboard', { ...this.watched, ...known });
      if (this.user) wire.emit('subscribe_user_score', this.user);
    };
    wire.onLost = () => this.#comeBack();
    wire.onEvent = (name, payload) => {
      try {
        this.#hear(name, payload);
      } catch (error) {
        this.#failure ??= error;
      }
    };
    await wire.connect();
  }

  async #comeBack() {
    while (!this.#hasLeft) {
      // As a balancer would have it.
      this.#at = (this.#at + 1) % this.#fleet.nodes.length;
      try {
        return await this.come();
      } catch ({ message }) {
        this.refused = message;
        await pause(LOOK_MS);
      }
    }
  }

  leave() {
    this.#hasLeft = true;
    this.#wire?.close();
  }

  #hear(name, payload) {
    if (name === 'error') throw new Error(payload.message);
    if (name === 'session_expired') this.expired = payload.message;
    if (name === 'system_notification') this.banners.push(payload.message);
    if (name === 'leaderboard_refresh') {
      this.counts.refreshes += 1;
      this.#isInOrder(name, payload);
      this.view.refresh(payload);
    }
    if (name === 'scoreboard_delta') {
      this.counts.deltas += 1;
      if (this.view.delta(payload) === 'gap') throw new Error('entries are missing in deltas');
    }
    if (name === 'user_score_update') {
      assert.equal(payload.userId, this.user);
      this.#isInOrder(name, payload);
      const { epoch, seq } = this.own ?? {};
      if (payload.epoch !== epoch || payload.seq >= seq) this.own = payload;
    }
  }

  /** Whoever comes back may meet a node that is a little behind, which never goes back itself. */
  #isInOrder(name, { epoch, seq }) {
    const last = this.#heard[name];
    assert.ok(last?.epoch !== epoch || seq >= last.seq, `${name} of ${seq} after ${last?.seq}`);
    this.#heard[name] = { epoch, seq };
  }

  /** What is wrong with what they were told, if this is how things are. */
  difference({ topScores, totalUsers, epoch }) {
    if (this.#failure) throw new Error(`${this}: ${this.#failure.message}`, { cause: this.#failure });
    if (this.expired) throw new Error(`${this}: ${this.expired}`);
    const rows = topScores.slice(0, this.watched.page === undefined ? TOP : PAGE);
    const wanted = [epoch, totalUsers, rows];
    const { view } = this;
    const shown = [view.epoch, view.totalUsers, view.rows];
    if (!isDeepStrictEqual(shown, wanted)) {
      return `${this} shows\n${JSON.stringify(shown)}, not\n${JSON.stringify(wanted)}`;
    }
    if (!this.user) return undefined;
    const row = topScores.find(({ userId }) => userId === this.user);
    const told = this.own && [this.own.epoch, this.own.score, this.own.rank];
    const is = row && [epoch, row.score, row.rank];
    if (row && JSON.stringify(told) !== JSON.stringify(is)) {
      return `${this} was told ${told} of themselves, not ${is}`;
    }
    return undefined;
  }
}

/** Publishers who send actions to all nodes, and each again until it is acknowledged. */
class Traffic {
  /** Acknowledged points by player. */
  points = new Map();
  /** Answers that an action was not taken, and to be sent again. */
  refused = 0;
  /** Acknowledged actions by node. */
  #acknowledged;
  #isOver = false;
  #publishers;
  #fleet;

  constructor(fleet) {
    this.#fleet = fleet;
    this.#acknowledged = fleet.nodes.map(() => 0);
    this.#publishers = fleet.nodes.flatMap((_, at) => [this.#publish(at), this.#publish(at)]);
    // Whoever ends it is told.
    for (const publisher of this.#publishers) publisher.catch(() => {});
  }

  async #publish(at) {
    for (let i = 0; !this.#isOver; i++) {
      const { players } = this.#fleet;
      const userId = players[(7 * i + 5 * at) % players.length];
      await this.#deliver(at, action({ userId, scoreIncrease: 1 + (i % 9) }));
      await pause(LOOK_MS / 2);
    }
  }

  async #deliver(at, body) {
    const by = Date.now() + 2 * SAFETY_MS;
    for (let attempt = 0; ; attempt++) {
      const to = (at + attempt) % this.#fleet.nodes.length;
      // A node that is gone gives no answer, and another does.
      const answer = await postActions(this.#fleet.nodes[to], body).catch(() => undefined);
      if (answer?.status === 200) {
        expectActionAnswer(answer.body);
        const { userId, scoreIncrease } = body;
        this.points.set(userId, (this.points.get(userId) ?? 0) + scoreIncrease);
        this.#acknowledged[to] += 1;
        return;
      }
      if (answer !== undefined) {
        assert.equal(answer.status, 503, JSON.stringify(answer.body));
        assert.match(answer.retryAfter, /^[15]$/);
        this.refused += 1;
      }
      if (Date.now() > by) throw new Error(`not taken: ${JSON.stringify(answer?.body)}`);
      await pause(LOOK_MS);
    }
  }

  /** Waits until each node has taken actions again. */
  async flows() {
    const before = [...this.#acknowledged];
    await eventually(() => {
      const waiting = before.findIndex((count, at) => this.#acknowledged[at] < count + 2);
      return waiting < 0 ? undefined : `node ${waiting} takes no actions`;
    });
  }

  /** Ends it when all that was begun is acknowledged. */
  async end() {
    this.#isOver = true;
    await Promise.all(this.#publishers);
  }
}

class Fleet {
  nodes = [];
  players = [];
  watchers = [];
  #env;

  constructor(redis, env) {
    this.redis = redis;
    this.#env = { PODIUM_BOARD__TOP: String(TOP), PODIUM_LIMITS__EVENTS_PER_MINUTE: '100000', ...env };
  }

  async start({ login, envs }) {
    this.login = login;
    this.nodes = await Promise.all(envs.map((env) => this.node(env)));
    await this.register();
    WATCHERS.forEach((who, n) => {
      this.nodes.forEach((_, at) => {
        const user = n % 2 === 1 ? this.players[(3 * n + at) % PLAYERS] : undefined;
        this.watchers.push(new Watcher(this, at, { ...who, user }));
      });
    });
    await Promise.all(this.watchers.map((watcher) => watcher.come()));
  }

  /** One more node. */
  node(env = {}) {
    const redis = this.redis.address(this.login);
    return startPodium({ redis, env: { ...this.#env, ...env } });
  }

  get urls() {
    return this.nodes.map(({ url }) => url);
  }

  /** Registers all players, each at one of the nodes. */
  async register() {
    if (this.players.length === 0) this.players = Array.from({ length: PLAYERS }, () => randomUUID());
    const puts = this.players.map((id, i) => putUser(this.urls[i % this.urls.length], id, `Player ${i}`));
    await Promise.all(puts);
    await actAll(this.urls[0], this.players.map((userId, i) => ({ userId, scoreIncrease: 10 * i })));
  }

  traffic() {
    return new Traffic(this);
  }

  /** What each node says of the whole board, without looking whether they agree. */
  boards() {
    return Promise.all(this.urls.map((url) => leaderboard(url, '?limit=100')));
  }

  /** Waits until all nodes say the same of the board, and all clients show it. */
  async agrees(by) {
    let board;
    await eventually(async () => {
      const boards = await this.boards();
      [board] = boards;
      const texts = boards.map((it) => JSON.stringify(it));
      const other = texts.findIndex((text) => text !== texts[0]);
      if (other > 0) return `node 0 says\n${texts[0]}, and node ${other}\n${texts[other]}`;
      for (const watcher of this.watchers) {
        const difference = watcher.difference(board);
        if (difference) return difference;
      }
      return undefined;
    }, by);
    return board;
  }

  /** Registers somebody at one of the nodes; resolves when all of them know who it is. */
  async newUser(at, name) {
    const id = await newUser(this.nodes[at], name);
    for (const url of this.urls) {
      await eventually(async () => {
        const { status } = await request(url, 'GET', `/api/v1/users/${id}`);
        return status === 200 ? undefined : `${url} does not know ${name}`;
      });
    }
    return id;
  }

  /** Waits until each node says that this is how its store is. */
  async storesAre(state) {
    const wanted = state === 'open' ? 'ready\n' : `ready\nstore: ${state}\n`;
    await eventually(async () => {
      const answers = this.urls.map((url) => request(url, 'GET', '/readyz'));
      const other = (await Promise.all(answers)).find(({ body }) => body !== wanted);
      if (other === undefined) return undefined;
      assert.equal(other.status, 200, 'a balancer goes on sending viewers');
      return `a node says ${other.body}, not ${wanted}`;
    });
  }

  /** Waits until no node can write, and each says why: `words`. */
  async storesRefuse(words) {
    await eventually(async () => {
      const answers = this.urls.map((url) => request(url, 'GET', '/readyz'));
      const isOther = ({ status, body }) => status !== 503 || !words.test(body.detail);
      const other = (await Promise.all(answers)).find(isOther);
      return other && `a node says ${JSON.stringify(other.body)}`;
    });
  }

  async end() {
    for (const watcher of this.watchers) watcher.leave();
    disconnectAll();
    await Promise.all(this.nodes.map((node) => node.kill()));
    await this.redis.kill();
  }
}

/**
 * Starts nodes on one Redis, with players on the board and clients at each node.
 *
 * @param {object} [options]
 * @param {Record<string, string>} [options.settings] of Redis
 * @param {string} [options.login] with which nodes come to it
 * @param {Record<string, string>} [options.env] of all nodes
 * @param {Record<string, string>[]} [options.envs] of each node, and so how many there are
 */
async function startFleet({ settings, login, env, envs = [{}, {}, {}] } = {}) {
  const fleet = new Fleet(await startRedis(settings), env);
  try {
    await fleet.start({ login, envs });
  } catch (error) {
    await fleet.end();
    throw error;
  }
  return fleet;
}

/** One fleet for all tests of a `describe`: `at()` gives it once they run. */
export function fleetForSuite(options) {
  let fleet;
  before(async () => (fleet = await startFleet(options)));
  after(() => fleet?.end());
  return () => fleet;
}

/** A fleet for one test, `t` being its context. */
export async function fleetForTest(t, options) {
  const fleet = await startFleet(options);
  t.after(() => fleet.end());
  return fleet;
}
