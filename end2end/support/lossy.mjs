// A TCP proxy before a server, that can lose what it is to forward, as a network does
// that drops packets: nothing is closed, and nobody is told.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/**
 * Starts one before the server at `url`. While it is `lossy`, all that comes is lost,
 * also what begins a connection; and a connection that has lost something, or began then,
 * stays dead for ever.
 */
export async function startLossyProxy(url) {
  const { hostname, port } = new URL(url);
  const sockets = new Set();
  let lossy = false;
  let opened = 0;

  const server = createServer((client) => {
    opened += 1;
    const upstream = connect({ host: hostname, port });
    let isDead = lossy;
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ]) {
      sockets.add(from);
      from.on('data', (data) => {
        isDead ||= lossy;
        if (!isDead) to.write(data);
      });
      const end = () => {
        sockets.delete(from);
        isDead ||= lossy;
        if (!isDead) to.destroy();
      };
      from.on('error', () => {}).on('close', end);
    }
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    /** How many connections there were. */
    opened: () => opened,
    lose() {
      lossy = true;
    },
    restore() {
      lossy = false;
    },
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
