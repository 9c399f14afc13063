// Memory that an attack takes is given back soon after it, also what caches hold that
// nobody asks anything of any more.

import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';

import { ATTACKER, underAttack } from '../support/attack.mjs';
import { importedDatabase } from '../support/podium.mjs';
import { head, openRaw } from '../support/raw.mjs';

const ROWS = 1000;
const env = { PODIUM_BOARD__TOP: String(ROWS) };
/** So many that their pages fill the cache, of 32 MiB. */
const VERSIONS = 60;
const CONNECTIONS = 20;
const MB = 1e6;
/** Beside the cache: what it takes to render pages, and answers that are on their way. */
const PEAK_BYTES = 150 * MB;

describe('pages of many versions of a board', () => {
  it('are in memory only as long as somebody asks for them', async (t) => {
    const name = (i) => `${i} `.padEnd(64, 'x');
    const users = Array.from({ length: ROWS }, (_, i) => ({ userId: randomUUID(), username: name(i) }));
    const database = await importedDatabase(users, env);
    await underAttack(t, { env, database, peakBytes: PEAK_BYTES }, async ({ podium, updates }) => {
      const ask = head('GET', '/', [['Host', new URL(podium.url).host]]);
      const open = () => openRaw(podium.url, { localAddress: ATTACKER });
      const connections = await Promise.all(Array.from({ length: CONNECTIONS }, open));
      for (let i = 0; i < VERSIONS; i++) {
        await connections[i % CONNECTIONS].write(ask);
        await updates(1);
      }
      for (const connection of connections) connection.drop();
    });
  });
});
