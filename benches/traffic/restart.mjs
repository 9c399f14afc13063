// Does everybody come back after a restart, and not all at once?
//
//     node benches/traffic/restart.mjs
//
// 5,000 viewers watch the board. The server is told to stop, with 5 s of notice, and
// is started again at once on the same port and database. Each viewer comes back as
// the page does: it waits 1 s, then twice as long each time up to 30 s, times
// a random factor of 0.5 to 1. It reports who heard the notice, how long the stop
// took and when the viewers were back, and that all of them are live again. It uses
// PODIUM_BIN, or target/release/podium. Needs 6,000 file descriptors, 1 GB of memory
// and about a minute, 3 at most.

import { randomUUID } from 'node:crypto';

import { act, freePort, leaderboard, putUser, startPodium, token } from '../../end2end/support/podium.mjs';
import { connect, disconnectAll } from '../../end2end/support/socket.mjs';
import { inWaves, percentile, printTable, seconds, until, verdict } from './support.mjs';

const VIEWERS = 5000;
const AT_ONCE = 100;
const NOTICE = '5s';
const EXIT_WITHIN_MS = 30_000;
const BACK_WITHIN_MS = 60_000;
const LIVE_WITHIN_MS = 10_000;

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30_000;

/** Is the benchmark over, so that nobody is to come back any more? */
let closing = false;

/** A viewer that comes back whenever it is lost. */
class Viewer {
  /** Why it was lost, the last time. */
  lost;
  noticed = false;
  refusals = 0;
  /** When it first tried to come back, and when it was shown the board again. */
  tried;
  back;
  seq = 0;
  #attempts = 0;

  async start(url) {
    const viewer = token({ user: randomUUID(), role: 'viewer' });
    this.socket = await connect(url, { token: viewer });
    // What the harness keeps for tests would only grow here.
    this.socket.offAny();
    this.socket.on('connect', () => this.socket.emit('subscribe_scoreboard'));
    this.socket.on('disconnect', (reason) => {
      this.lost = reason;
      this.#comeBack();
    });
    this.socket.on('connect_error', () => {
      this.refusals += 1;
      this.#comeBack();
    });
    this.socket.on('system_notification', ({ type }) => {
      if (type === 'MAINTENANCE') this.noticed = true;
    });
    this.socket.on('leaderboard_refresh', ({ seq }) => {
      this.seq = seq;
      if (this.lost === undefined) return;
      this.#attempts = 0;
      this.back ??= performance.now();
    });
    this.socket.emit('subscribe_scoreboard');
  }

  #comeBack() {
    if (closing) return;
    const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.#attempts);
    this.#attempts += 1;
    setTimeout(() => {
      this.tried ??= performance.now();
      this.socket.connect();
    }, wait * (0.5 + Math.random() / 2));
  }
}

/** How many there are of each. */
function count(values) {
  const counts = new Map();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

/** First attempts and returns, second by second after the server was ready again. */
function printHistogram(attempts, returns) {
  const perSecond = (times) => count(times.map((time) => Math.floor(time / 1000)));
  const [tried, back] = [perSecond(attempts), perSecond(returns)];
  const from = Math.min(...tried.keys(), ...back.keys());
  const to = Math.max(...tried.keys(), ...back.keys());
  const rows = [['second', 'first attempts', 'returns']];
  for (let second = from; second <= to; second++) {
    rows.push([second, tried.get(second) ?? 0, back.get(second) ?? 0]);
  }
  printTable(rows);
}

/** Waits until all viewers have what is on the board now; answers how many have not. */
async function behind(url, viewers, user) {
  const { seq } = await act(url, { userId: user, scoreIncrease: 1 });
  await until(() => viewers.every((viewer) => viewer.seq >= seq), LIVE_WITHIN_MS);
  return viewers.filter((viewer) => viewer.seq < seq).length;
}

const problems = [];
const env = { LEPTOS_SITE_ADDR: `127.0.0.1:${await freePort()}`, PODIUM_SHUTDOWN__NOTICE: NOTICE };
let podium = await startPodium({ env });
try {
  const user = randomUUID();
  await putUser(podium.url, user, 'Ada');
  const connecting = performance.now();
  const viewers = Array.from({ length: VIEWERS }, () => new Viewer());
  await inWaves(VIEWERS, AT_ONCE, (i) => viewers[i].start(podium.url));
  console.log(`${VIEWERS} viewers connected in ${seconds(performance.now() - connecting)}`);
  const before = await behind(podium.url, viewers, user);
  if (before > 0) problems.push(`${before} viewers were never live`);
  const { seq } = await leaderboard(podium.url);

  const told = performance.now();
  const { code } = await podium.stop();
  const stopped = performance.now();
  podium = await startPodium({ env, database: podium.database });
  const ready = performance.now();
  await until(() => viewers.every(({ back }) => back !== undefined), BACK_WITHIN_MS);
  const live = await behind(podium.url, viewers, user);

  const since = (moments) => moments.filter((at) => at !== undefined).map((at) => at - ready);
  const returns = since(viewers.map(({ back }) => back));
  const noticed = viewers.filter((viewer) => viewer.noticed).length;
  const refusals = viewers.reduce((sum, viewer) => sum + viewer.refusals, 0);
  const restored = await leaderboard(podium.url);
  printTable([
    ['viewers', VIEWERS],
    ['heard the notice', noticed],
    ...[...count(viewers.map(({ lost }) => lost))].map(([reason, n]) => [`lost by "${reason}"`, n]),
    ['SIGTERM to exit', seconds(stopped - told)],
    ['exit to ready', seconds(ready - stopped)],
    ['attempts in vain', refusals],
    ['came back', returns.length],
    ['p50 after it was ready', seconds(percentile(returns, 0.5))],
    ['last', seconds(percentile(returns, 1))],
  ]);
  printHistogram(since(viewers.map(({ tried }) => tried)), returns);

  if (noticed < VIEWERS) problems.push(`${VIEWERS - noticed} did not hear the notice`);
  if (code !== 0) problems.push(`the server exited with ${code}`);
  if (stopped - told > EXIT_WITHIN_MS) problems.push('the stop took too long');
  if (returns.length < VIEWERS) problems.push(`${VIEWERS - returns.length} are stranded`);
  if (live > 0) problems.push(`${live} are not live again`);
  if (restored.seq <= seq) problems.push(`the board went back from ${seq} to ${restored.seq}`);
  verdict(problems);
} finally {
  closing = true;
  disconnectAll();
  await podium.kill();
}
