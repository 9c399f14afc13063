// The event `heartbeat`: by it a client knows that its link is alive while nothing
// happens on the board.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

import { expectHeartbeat, expectRefusal } from './support/expect.mjs';
import { act, leaderboard, newUser, token } from './support/podium.mjs';
import { ask, connect, nextEvent, received } from './support/socket.mjs';
import { podiumForTest } from './support/suite.mjs';

const BEATS = { heartbeat: true };
/** For so long nothing comes to a socket before a heartbeat does, in milliseconds. */
const QUIET = 5_000;

// All of them wait for most of the time.
describe('heartbeats', { concurrency: true }, () => {
  for (const transport of ['websocket', 'polling']) {
    const newViewer = (podium) => {
      const viewer = token({ user: randomUUID(), role: 'viewer' });
      return connect(podium.url, { token: viewer, transports: [transport] });
    };

    /** A viewer who subscribes like this, and has been answered. */
    async function subscribed(podium, wanted) {
      const socket = await newViewer(podium);
      const { ok } = await ask(socket, 'subscribe_scoreboard', wanted);
      assert.equal(ok, true);
      return socket;
    }

    it(`come to a quiet socket in either mode, and say where the board is, over ${transport}`, async (t) => {
      const podium = await podiumForTest(t);
      const userId = await newUser(podium);
      await act(podium.url, { userId, scoreIncrease: 1 });
      const { epoch, seq } = await leaderboard(podium.url);
      const sockets = await Promise.all([
        subscribed(podium, BEATS),
        subscribed(podium, { ...BEATS, mode: 'delta' }),
        subscribed(podium, { ...BEATS, mode: 'delta', page: 0, epoch, seq }),
      ]);
      const twoBeats = async (socket) => {
        for (let beat = 0; beat < 2; beat++) {
          const heartbeat = await nextEvent(socket, 'heartbeat');
          expectHeartbeat(heartbeat);
          assert.equal(heartbeat.epoch, epoch);
          assert.deepEqual(heartbeat.seqs, { main: seq });
          // Both clocks are of this machine.
          assert.ok(Math.abs(Date.parse(heartbeat.time) - Date.now()) < 20_000);
        }
      };
      await Promise.all(sockets.map(twoBeats));
    });

    it(`come to nobody else, nor where something else comes, over ${transport}`, async (t) => {
      const podium = await podiumForTest(t);
      const quiet = await subscribed(podium, BEATS);
      const others = {
        'one who did not ask': await subscribed(podium, { mode: 'delta' }),
        'one who asks for none': await subscribed(podium, { heartbeat: false }),
        'one who has asked anew, and not for it': await subscribed(podium, BEATS),
        'one who has left': await subscribed(podium, BEATS),
      };
      const busy = await subscribed(podium, BEATS);
      const [, , anew, left] = Object.values(others);
      await ask(anew, 'subscribe_scoreboard');
      await ask(left, 'unsubscribe_scoreboard');
      let heardAt = performance.now();
      let longestPause = 0;
      while (received(quiet, 'heartbeat').length < 2) {
        await pause(1_500);
        await ask(busy, 'ping');
        longestPause = Math.max(longestPause, performance.now() - heardAt);
        heardAt = performance.now();
      }
      for (const [who, socket] of Object.entries(others)) {
        assert.deepEqual(received(socket, 'heartbeat'), [], who);
      }
      // On a machine that stalls this one was quiet, too.
      if (longestPause < QUIET) assert.deepEqual(received(busy, 'heartbeat'), [], 'one who is not quiet');
      // What is not quiet becomes so.
      await nextEvent(busy, 'heartbeat');
    });

    it(`are asked for by true or false alone, over ${transport}`, async (t) => {
      const podium = await podiumForTest(t);
      const socket = await newViewer(podium);
      for (const heartbeat of ['true', 1, {}]) {
        const refusal = await ask(socket, 'subscribe_scoreboard', { heartbeat });
        expectRefusal(refusal, 'Invalid message format');
      }
    });
  }
});
