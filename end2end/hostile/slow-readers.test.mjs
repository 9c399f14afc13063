// Clients that read more slowly than the board changes: they pay for it, and nobody else
// is sent anything again for their sake.

import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';

import { ATTACKER, underAttack } from '../support/attack.mjs';
import { importedDatabase, token } from '../support/podium.mjs';
import { frame, joinByHand } from '../support/raw.mjs';
import { connect, received } from '../support/socket.mjs';

const ROWS = 1000;
const env = { PODIUM_BOARD__TOP: String(ROWS) };
const READERS = 5;
/** A fifth of what such a board takes. */
const BYTES_PER_SECOND = 200_000;
/** As many as fill the kernel's own buffers, and then those of the server. */
const UPDATES = 200;

describe('slow readers', () => {
  it('have nothing sent to others again', async (t) => {
    const users = Array.from({ length: ROWS }, (_, i) => ({
      userId: randomUUID(),
      username: `Player ${i}`,
    }));
    const database = await importedDatabase(users, env);
    await underAttack(t, { env, database }, async ({ podium, problem, updates }) => {
      const viewer = token({ user: randomUUID(), role: 'viewer' });
      const witness = await connect(podium.url, { token: viewer });
      witness.emit('subscribe_scoreboard');
      const readers = await Promise.all(
        Array.from({ length: READERS }, async () => {
          const reader = await joinByHand(podium.url, { localAddress: ATTACKER });
          await reader.write(frame('42["subscribe_scoreboard"]'));
          reader.readSlowly(BYTES_PER_SECOND);
          // Answers fill what is kept for it, beside the board.
          await reader.write(Buffer.concat(Array(50).fill(frame('42["ping"]'))));
          return reader;
        }),
      );
      await updates(UPDATES);
      const seqs = received(witness, 'leaderboard_refresh').map(({ seq }) => seq);
      // The first may come twice: who subscribes between two ticks gets all rows again.
      const again = seqs.filter((seq, i) => i > 1 && seq === seqs[i - 1]).length;
      if (again > 0) problem(`${again} of ${seqs.length} boards were sent again`);
      for (const reader of readers) reader.drop();
    });
  });
});
