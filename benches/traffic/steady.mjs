// A steady stream of actions, viewers who watch what comes of it, and how long it takes
// from the answer to an action until each viewer has it.

import { randomUUID } from 'node:crypto';

import { act, token } from '../../end2end/support/podium.mjs';
import { connect } from '../../end2end/support/socket.mjs';

/** When actions were accepted and when viewers had them, by `seq`. */
export class Latencies {
  #accepted = new Map();
  #arrivals = [];

  accepted(seq) {
    this.#accepted.set(seq, performance.now());
  }

  /** A viewer has everything up to `to`, and had everything up to `from` before. */
  arrived(from, to) {
    this.#arrivals.push([from, to, performance.now()]);
  }

  /** The latencies of actions accepted since the last call, in milliseconds. */
  take() {
    const sample = [];
    for (const [from, to, at] of this.#arrivals) {
      for (let seq = from + 1; seq <= to; seq++) {
        const accepted = this.#accepted.get(seq);
        // A viewer may be told sooner than the sender of the action.
        if (accepted !== undefined) sample.push(Math.max(0, at - accepted));
      }
    }
    this.#accepted.clear();
    this.#arrivals = [];
    return sample;
  }
}

/** A well-behaved viewer of these rows, or of the top, whose every arrival is noted. */
export async function watch(url, latencies, view) {
  const viewer = token({ user: randomUUID(), role: 'viewer' });
  const socket = await connect(url, { token: viewer });
  let seen;
  const first = new Promise((resolve) => socket.once('leaderboard_refresh', resolve));
  socket.on('leaderboard_refresh', ({ seq }) => {
    if (seen !== undefined) latencies.arrived(seen, seq);
    seen = seq;
  });
  // What the harness keeps for tests would only grow here.
  socket.offAny();
  socket.emit('subscribe_scoreboard', ...(view ? [view] : []));
  await first;
  return socket;
}

/**
 * Acts at a steady rate.
 *
 * @param {string[]} urls of nodes, each of which gets every so manyth action
 * @param {string[]} users who act in turn
 * @param {number} perSecond
 * @param {Latencies} latencies
 * @returns {{failures: string[], stop: () => void}}
 */
export function actSteadily(urls, users, perSecond, latencies) {
  let sent = 0;
  const failures = [];
  const began = performance.now();
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - began) / 1000) * perSecond);
    for (; sent < due; sent++) {
      const userId = users[(sent * 7) % users.length];
      act(urls[sent % urls.length], { userId, scoreIncrease: 1 + (sent % 100) }).then(
        ({ seq }) => latencies.accepted(seq),
        (error) => failures.push(error.message),
      );
    }
  }, 5);
  return { failures, stop: () => clearInterval(timer) };
}
