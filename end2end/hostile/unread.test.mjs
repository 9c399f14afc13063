// Clients that take nothing of what is sent to them, and what is kept for them: so many
// bytes, however large a board is.

import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';

import { ATTACKER, underAttack } from '../support/attack.mjs';
import { importedDatabase, token } from '../support/podium.mjs';
import { openPolling } from '../support/polling.mjs';
import { flood, frame, joinByHand, openAfter } from '../support/raw.mjs';

const ROWS = 1000;
const env = { PODIUM_BOARD__TOP: String(ROWS) };

/** A board of a thousand rows, as long as names may be. */
function largeBoard() {
  const name = (i) => `${i} `.padEnd(64, 'x');
  return importedDatabase(
    Array.from({ length: ROWS }, (_, i) => ({ userId: randomUUID(), username: name(i) })),
    env,
  );
}

describe('sessions that do not poll', () => {
  const SESSIONS = 40;
  /** Beside what the server takes to make a frame of the board. */
  const peakBytes = SESSIONS * 1_000_000 + 20_000_000;
  const UPDATES = 40;

  /** A session that is sent the board, and never asks for what was sent. */
  async function subscribe(podium, { times }) {
    const session = await openPolling(podium.url);
    await session.connect(token({ user: randomUUID(), role: 'viewer' }));
    // Who is closed meanwhile is told so.
    for (let i = 0; i < times; i++) await session.emit('subscribe_scoreboard').catch(() => {});
    return session;
  }

  /** As often as a user may ask in a minute, and a little less. */
  for (const [name, times] of [['that changes', 1], ['that they ask for again and again', 50]]) {
    it(`hold little of a board of 1,000 rows ${name}`, async (t) => {
      const database = await largeBoard();
      await underAttack(t, { env, database, peakBytes }, async ({ podium, updates }) => {
        const sessions = await Promise.all(
          Array.from({ length: SESSIONS }, () => subscribe(podium, { times })),
        );
        await updates(UPDATES);
        await Promise.allSettled(sessions.map((session) => session.send('1')));
      });
    });
  }
});

describe('a flooder that does not read', () => {
  const SOCKETS = 4;
  const BOUNDS = { bytes: 4_000_000, milliseconds: 3000 };
  const CLOSED_WITHIN_MS = 5000;
  const asks = {
    pings: frame('42["ping"]'),
    boards: frame('42["subscribe_scoreboard"]'),
    'acknowledged boards': frame('421["subscribe_scoreboard"]'),
  };
  for (const [name, ask] of Object.entries(asks)) {
    it(`of what it asked for is closed at once: ${name}`, async (t) => {
      const database = await largeBoard();
      await underAttack(t, { env, database }, async ({ podium, problem }) => {
        const join = () => joinByHand(podium.url, { localAddress: ATTACKER });
        const connections = await Promise.all(Array.from({ length: SOCKETS }, join));
        const data = Buffer.concat(Array(1000).fill(ask));
        for (const connection of connections) connection.stopReading();
        await Promise.all(connections.map((connection) => flood(connection, data, BOUNDS)));
        const open = await openAfter(connections, CLOSED_WITHIN_MS);
        if (open > 0) problem(`${open} of ${SOCKETS} were not closed`);
        for (const connection of connections) connection.drop();
      });
    });
  }
});
