// Many clients that stall, vanish, come back, look elsewhere and lose what is sent
// to them, while the board changes: in the end every one shows what the server says,
// and on the way none was shown a step back.
//
// What happens is chosen by a seed, which a failure names; PODIUM_SEED=… chooses it
// again. Moments are the machine's, so the same seed may still go another way.

import assert from 'node:assert/strict';
import { randomInt, randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';

import {
  act,
  actAll,
  freePort,
  leaderboard,
  putUser,
  request,
  startPodium,
  token,
} from './support/podium.mjs';
import { BoardView } from './support/view.mjs';
import { OfficialWire, PollingWire } from './support/wires.mjs';

const SEED = Number(process.env.PODIUM_SEED ?? randomInt(2 ** 31));

const USERS = 180;
const TOP = 10;
const PAGE = 50;
const PAGES = 4;
const ROUNDS = 100;
/** Of 100 deltas to a client in delta mode, so many are thrown away. */
const LOST_OF_100 = 10;
/** How long a client may take to show what is so; it only turns a hang into a message. */
const SAFETY_MS = 30_000;

const VIEWERS = { websocket: 10, polling: 4, 'polling by hand': 8 };
const PLAYERS = { websocket: 4, polling: 2, 'polling by hand': 3 };

/** Random choices that a seed repeats (mulberry32). */
class Random {
  #state;

  constructor(seed) {
    this.#state = seed;
  }

  /** At least 0 and below `end`. */
  below(end) {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * end);
  }

  /** From `least` to `most`. */
  between(least, most) {
    return least + this.below(most - least + 1);
  }

  pick(list) {
    return list[this.below(list.length)];
  }

  /** True so many times of a hundred. */
  chance(percent) {
    return this.below(100) < percent;
  }
}

function newWire(kind, url, token) {
  return kind === 'polling by hand' ? new PollingWire(url, token) : new OfficialWire(url, token, kind);
}

/** A simulated client of either sort: how it is treated, and how it is waited for. */
class Client {
  /** The first thing that a server must never do and did. */
  failure;
  #waiting = new Set();
  #persistent = false;

  constructor(name, wire) {
    this.name = name;
    this.wire = wire;
    wire.onConnect = () => this.onConnect();
    wire.onLost = () => {
      if (this.#persistent) this.#comeBack();
    };
    wire.onEvent = (name, payload) => {
      try {
        this.onEvent(name, payload);
      } catch (error) {
        this.failure ??= error;
      }
      for (const look of [...this.#waiting]) look();
    };
  }

  /** Something happens to it. */
  async suffer(random) {
    const { wire } = this;
    if (!wire.connected) await wire.connect();
    else if (wire.stalled) await (random.chance(70) ? wire.resume() : wire.drop());
    else if (wire.canStall && random.chance(50)) await wire.stall();
    else await wire.drop();
  }

  /** From now on it reads, and comes back whenever it is lost. */
  async recover() {
    this.#persistent = true;
    if (!this.wire.connected) await this.wire.connect();
    else if (this.wire.stalled) this.wire.resume();
  }

  #comeBack() {
    this.wire.connect().catch((error) => {
      this.failure ??= error;
      for (const look of [...this.#waiting]) look();
    });
  }

  close() {
    this.#persistent = false;
    this.wire.close();
  }

  throwIfFailed() {
    const { name, failure } = this;
    if (failure) throw new Error(`${name}: ${failure.message}`, { cause: failure });
  }

  /** Waits until the condition holds, looking again at each event. */
  until(condition, describe) {
    return new Promise((resolve, reject) => {
      const settle = (finish, value) => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        finish(value);
      };
      const look = () => {
        try {
          this.throwIfFailed();
          if (condition()) settle(resolve);
        } catch (error) {
          settle(reject, error);
        }
      };
      const late = () => settle(reject, new Error(`${this.name}: ${describe()}`));
      const timer = setTimeout(late, SAFETY_MS);
      this.#waiting.add(look);
      look();
    });
  }
}

/** Facts of one kind on one connection, none of which may be older than the last. */
class Order {
  #newest = new Map();

  check(what, { epoch, seq }) {
    const newest = this.#newest.get(what);
    if (newest?.epoch === epoch) {
      assert.ok(seq >= newest.seq, `${what}: ${seq} was sent after ${newest.seq}`);
    }
    this.#newest.set(what, { epoch, seq });
  }
}

/** Somebody who watches a view of the board, or another one, or none. */
class Viewer extends Client {
  /** `{mode, page?}`; nothing is watched without. */
  watched;
  view = new BoardView();
  lossy = true;
  counts = { refreshes: 0, deltas: 0, lost: 0, gaps: 0, overlapping: 0 };
  /** The view as it was at one time or another. */
  #earlier = [];
  /** Of a connection that has not asked for deltas: no rule protects it. */
  #order = new Order();

  constructor(name, wire, random) {
    super(name, wire);
    this.random = random;
  }

  watch(watched) {
    if (this.watched?.page !== watched.page) this.#forget();
    this.watched = watched;
    this.#subscribe();
  }

  unwatch() {
    this.watched = undefined;
    this.#forget();
    if (this.wire.connected) this.wire.emit('unsubscribe_scoreboard');
  }

  #forget() {
    this.view = new BoardView();
    this.#earlier = [];
  }

  /** Subscribes from where the view is. */
  #subscribe() {
    // Whoever is not connected subscribes when they are.
    if (!this.wire.connected) return;
    const inDeltas = this.watched.mode === 'delta';
    if (inDeltas) this.#order = undefined;
    const position = inDeltas ? this.view.position : {};
    this.wire.emit('subscribe_scoreboard', { ...this.watched, ...position });
  }

  /** Asks for what was missed, at times with what it showed long ago, as a tab that slept. */
  #resume() {
    if (this.#earlier.length > 0 && this.random.chance(30)) {
      this.view = this.random.pick(this.#earlier).copy();
    }
    this.#subscribe();
  }

  onConnect() {
    this.#order = new Order();
    if (this.watched) this.#resume();
  }

  onEvent(name, payload) {
    if (name === 'error') throw new Error(payload.message);
    const { page } = payload ?? {};
    // What is still on its way of a view that was left is nobody's.
    const ours = this.watched !== undefined && this.watched.page === page;
    if (name === 'leaderboard_refresh') {
      this.#order?.check(`board of page ${page}`, payload);
      if (!ours) return;
      this.counts.refreshes += 1;
      this.view.refresh(payload);
      this.#earlier.push(this.view.copy());
    } else if (name === 'scoreboard_delta') {
      if (!ours || this.watched.mode !== 'delta') return;
      if (this.lossy && this.random.chance(LOST_OF_100)) {
        this.counts.lost += 1;
        return;
      }
      this.counts.deltas += 1;
      const { seq } = this.view;
      const outcome = this.view.delta(payload);
      if (outcome === 'gap') {
        this.counts.gaps += 1;
        this.#resume();
      } else if (outcome === 'applied') {
        if (payload.from < seq) this.counts.overlapping += 1;
        this.#earlier.push(this.view.copy());
      }
    }
  }

  /** What HTTP is asked for the same rows. */
  get query() {
    const { page } = this.watched;
    return page === undefined ? `?limit=${TOP}` : `?limit=${PAGE}&offset=${PAGE * page}`;
  }

  shows({ topScores, totalUsers }) {
    const fields = (row) => [row.userId, row.username, row.score, row.rank, row.avatar];
    const essence = (rows, totalUsers) => JSON.stringify([totalUsers, rows.map(fields)]);
    return essence(this.view.rows, this.view.totalUsers) === essence(topScores, totalUsers);
  }
}

/** Somebody who hears of their own score. */
class Player extends Client {
  own;
  #order = new Order();

  constructor(name, wire, user) {
    super(name, wire);
    this.user = user;
  }

  onConnect() {
    this.#order = new Order();
    this.wire.emit('subscribe_user_score', this.user);
  }

  onEvent(name, payload) {
    if (name === 'error') throw new Error(payload.message);
    if (name !== 'user_score_update') return;
    assert.equal(payload.userId, this.user);
    this.#order.check('own score', payload);
    const newer = payload.epoch !== this.own?.epoch || payload.seq >= this.own.seq;
    if (newer) this.own = payload;
  }
}

/** The world: the server, its users, and all clients. */
class World {
  users = [];
  viewers = [];
  players = [];

  constructor(random) {
    this.random = random;
  }

  async start(env) {
    this.env = { PODIUM_LIMITS__EVENTS_PER_MINUTE: '1000000', PODIUM_BOARD__TOP: String(TOP), ...env };
    this.podium = await startPodium({ env: this.env });
    await Promise.all(Array.from({ length: USERS }, () => this.addUser()));
    const points = () => this.random.between(0, 2000);
    await actAll(this.url, this.users.map((userId) => ({ userId, scoreIncrease: points() })));

    for (const kind of kinds(PLAYERS)) {
      const user = this.users[this.players.length];
      const wire = newWire(kind, this.url, token({ user }));
      this.players.push(new Player(`player ${this.players.length} by ${kind}`, wire, user));
    }
    for (const kind of kinds(VIEWERS)) {
      const wire = newWire(kind, this.url, token({ user: randomUUID(), role: 'viewer' }));
      const viewer = new Viewer(`viewer ${this.viewers.length} by ${kind}`, wire, this.random);
      viewer.watch(this.anyView());
      this.viewers.push(viewer);
    }
    // Its own updates say when a round is over, so it never suffers.
    const user = this.users.at(-1);
    this.pacer = new Player('pacer', newWire('websocket', this.url, token({ user })), user);
    await Promise.all([this.pacer, ...this.clients].map(({ wire }) => wire.connect()));
  }

  get url() {
    return this.podium.url;
  }

  get clients() {
    return [...this.players, ...this.viewers];
  }

  anyView() {
    const mode = this.random.pick(['full', 'delta', 'delta']);
    const page = this.random.chance(40) ? undefined : this.random.below(PAGES);
    return page === undefined ? { mode } : { mode, page };
  }

  async addUser() {
    const user = randomUUID();
    await putUser(this.url, user, `Player ${user.slice(0, 8)}`);
    // Nobody acts for whom the server does not know yet.
    this.users.push(user);
    return user;
  }

  anyAction() {
    // Half of it happens where many look.
    const near = this.random.chance(50) ? this.users.slice(0, 2 * TOP) : this.users;
    return { userId: this.random.pick(near), scoreIncrease: this.random.between(-40, 80) };
  }

  /** Something that changes the board. */
  async change() {
    const { random } = this;
    const what = random.below(100);
    if (what < 55) {
      await act(this.url, this.anyAction());
    } else if (what < 65) {
      await act(this.url, { ...this.anyAction(), scoreIncrease: random.pick([-1500, 1500]) });
    } else if (what < 80) {
      const actions = Array.from({ length: random.between(2, 60) }, () => this.anyAction());
      await actAll(this.url, actions);
    } else if (what < 88) {
      await this.addUser();
    } else {
      const avatar = random.chance(50) ? `https://example.org/${random.below(1000)}.png` : undefined;
      await putUser(this.url, random.pick(this.users), `Renamed ${random.below(1000)}`, avatar);
    }
  }

  /** Something that happens to a client, or that it does. */
  async disturb() {
    const { random } = this;
    // Most of them are to be there most of the time.
    const away = this.clients.filter(({ wire }) => !wire.connected || wire.stalled);
    const client = random.pick(away.length > 0 && random.chance(60) ? away : this.clients);
    const watches = client instanceof Viewer && client.wire.connected && !client.wire.stalled;
    if (!watches || random.chance(55)) await client.suffer(random);
    else if (client.watched && random.chance(20)) client.unwatch();
    else client.watch(this.anyView());
  }

  /** Several things at once, and one tick. */
  async round() {
    const changes = Array.from({ length: this.random.between(0, 4) }, () => this.change());
    const disturbed = this.random.between(0, 6);
    for (let i = 0; i < disturbed; i++) await this.disturb();
    await Promise.all(changes);
    const { seq } = await act(this.url, { userId: this.pacer.user, scoreIncrease: 1 });
    await this.pacer.until(() => this.pacer.own?.seq >= seq, () => `never heard of ${seq}`);
    this.expectNoFailure();
  }

  /** A power cut while actions are on their way. */
  async restart() {
    // Whether one of them was counted is not known to whoever sent it.
    const open = Array.from({ length: 20 }, () => act(this.url, this.anyAction()).catch(() => {}));
    await Promise.race(open);
    await this.podium.kill();
    await Promise.all(open);
    this.podium = await startPodium({ env: this.env, database: this.podium.database });
    await this.pacer.recover();
  }

  /** Everybody reads, and everything changes once more; then all must be as it is. */
  async settle() {
    for (const viewer of this.viewers) {
      viewer.lossy = false;
      if (!viewer.watched) viewer.watch(this.anyView());
    }
    await Promise.all(this.clients.map((client) => client.recover()));
    // The last becomes the first: every rank and every page is another.
    const { totalUsers } = await leaderboard(this.url);
    const { topScores } = await leaderboard(this.url, `?limit=1&offset=${totalUsers - 1}`);
    await act(this.url, { userId: topScores[0].userId, scoreIncrease: 1_000_000 });

    const text = JSON.stringify;
    for (const viewer of this.viewers) {
      const expected = await leaderboard(this.url, viewer.query);
      await viewer.until(
        () => viewer.shows(expected),
        () => `shows ${text(viewer.view)}\nof ${text(viewer.watched)}, not ${text(expected)}`,
      );
    }
    for (const player of this.players) {
      const { body } = await request(this.url, 'GET', `/api/v1/users/${player.user}`);
      await player.until(
        () => player.own?.score === body.score && player.own.rank === body.rank,
        () => `was told ${text(player.own)}, not ${text(body)}`,
      );
    }
    this.expectNoFailure();
  }

  expectNoFailure() {
    for (const client of this.clients) client.throwIfFailed();
  }

  async end() {
    for (const client of [this.pacer, ...this.clients]) client?.close();
    await this.podium?.kill();
  }
}

/** Each kind as often as it is wanted. */
function kinds(counts) {
  return Object.entries(counts).flatMap(([kind, count]) => Array(count).fill(kind));
}

/** Lives through a world; `inTheMiddle` happens when half of it is over. */
async function live(t, seed, { env = {}, inTheMiddle = async () => {} } = {}) {
  const world = new World(new Random(seed));
  t.after(() => world.end());
  try {
    await world.start(env);
    for (let round = 0; round < ROUNDS; round++) {
      if (round === ROUNDS / 2) await inTheMiddle(world);
      await world.round();
    }
    await world.settle();
  } catch (error) {
    error.message = `with PODIUM_SEED=${SEED}: ${error.message}`;
    throw error;
  }
  const sum = (name) => world.viewers.reduce((total, { counts }) => total + counts[name], 0);
  const counts = Object.keys(world.viewers[0].counts).map((name) => [name, sum(name)]);
  t.diagnostic(`with PODIUM_SEED=${SEED}: ${counts.map((pair) => pair.join(' ')).join(', ')}`);
  // Otherwise this has tested nothing.
  for (const [name, count] of counts) assert.ok(count > 0, `no ${name} with PODIUM_SEED=${SEED}`);
}

describe('all clients show what the server says', { concurrency: true }, () => {
  it('after they stalled, vanished, looked elsewhere and lost packets', (t) => live(t, SEED));

  it('also when the server dies and comes back', async (t) => {
    const env = { LEPTOS_SITE_ADDR: `127.0.0.1:${await freePort()}` };
    await live(t, SEED + 1, { env, inTheMiddle: (world) => world.restart() });
  });
});
