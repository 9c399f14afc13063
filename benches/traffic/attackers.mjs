// The attackers of attacks.mjs, in a process of their own. Its arguments: which attack,
// the server's address, and what the attack needs as JSON. It goes on until it is ended,
// 60 s at most; whoever is closed comes back, as somebody who means harm would.

import { randomUUID } from 'node:crypto';
import { Agent, get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

import { actAll, token } from '../../end2end/support/podium.mjs';
import { openPolling } from '../../end2end/support/polling.mjs';
import {
  OPCODE,
  askForWebSocket,
  connectPacket,
  flood,
  frame,
  head,
  joinByHand,
  openRaw,
  openWebSocket,
  statusOf,
} from '../../end2end/support/raw.mjs';

const LIFETIME_MS = 60_000;
const CHUNK_BYTES = 65_536;
const PAUSE_MS = 20;
const FOREVER = { bytes: Infinity, milliseconds: LIFETIME_MS };

/** Attackers come from here, and from the addresses behind it. */
const address = (i = 0) => `127.0.0.${2 + i}`;
const viewer = () => token({ user: randomUUID(), role: 'viewer' });
const many = (data) => Buffer.concat(Array(Math.ceil(CHUNK_BYTES / data.length)).fill(data));

/** So many at once who do this again and again, whatever becomes of it. */
function again(count, run) {
  const loop = async (_, i) => {
    while (true) await run(i).catch(() => sleep(PAUSE_MS));
  };
  Array.from({ length: count }, loop);
}

/** Four WebSockets that repeat this without end. */
function repeat(url, data, open = joinByHand) {
  again(4, async () => {
    const connection = await open(url, { localAddress: address() });
    await flood(connection, many(data), FOREVER);
  });
}

/** Eight sessions to which this packet is posted without end. */
function post(url, packet) {
  const body = Array(Math.floor(16_000 / (packet.length + 1))).fill(packet).join('\x1e');
  again(8, async () => {
    const session = await openPolling(url);
    await session.connect(viewer());
    const { host, pathname, search } = new URL(session.url);
    const headers = [['Host', host], ['Content-Type', 'text/plain'], ['Content-Length', body.length]];
    const request = head('POST', pathname + search, headers) + body;
    const connection = await openRaw(url, { localAddress: address() });
    await flood(connection, Buffer.from(request.repeat(4)), FOREVER);
  });
}

/** So many requests at once for these addresses, by connections that are kept. */
function ask(url, count, path) {
  const agent = new Agent({ keepAlive: true, maxSockets: count, localAddress: address() });
  again(count, (i) =>
    new Promise((resolve, reject) => {
      get(new URL(path(i), url), { agent }, (answer) => {
        answer.resume().on('end', resolve).on('error', reject);
      }).on('error', reject);
    }),
  );
}

/** Connections of which each asks for this 64 times at once, and again when it has it. */
function pipeline(url, path) {
  const asked = head('GET', path, [['Host', new URL(url).host]]).repeat(64);
  again(900, async (i) => {
    await sleep(i / 2);
    const connection = await openRaw(url, { localAddress: address() });
    let answers = 0;
    connection.onData((text) => {
      for (let at = -1; (at = text.indexOf('HTTP/1.1 ', at + 1)) !== -1; ) answers += 1;
      if (answers < 64) return;
      answers -= 64;
      connection.write(asked);
    });
    await connection.write(asked);
    await connection.closed;
  });
}

const PICTURE = [
  ['Sec-Fetch-Site', 'cross-site'],
  ['Sec-Fetch-Mode', 'no-cors'],
  ['Sec-Fetch-Dest', 'image'],
];

let sent = 0;

const attacks = {
  /** Six who read histories, while others act: readers that overlap without end. */
  'histories beside actions': (url, { users }) => {
    ask(url, 6, (i) => `/api/v1/users/${users[(i + sent++) % users.length]}/history`);
    setInterval(() => {
      const some = Array.from({ length: 1000 }, () => users[sent++ % users.length]);
      actAll(url, some.map((userId) => ({ userId, scoreIncrease: 1 }))).catch(() => {});
    }, 75);
  },

  /** Five who read the board at 200 kB/s each; answers fill what else is kept for them. */
  'slow readers': (url) =>
    again(5, async () => {
      const connection = await joinByHand(url, { localAddress: address() });
      await connection.write(frame('42["subscribe_scoreboard"]'));
      connection.readSlowly(200_000);
      await connection.write(Buffer.concat(Array(50).fill(frame('42["ping"]'))));
      await connection.closed;
    }),

  CONNECT: (url) => repeat(url, frame('40')),
  'CONNECT with a payload': (url) => repeat(url, frame(connectPacket(viewer())), openWebSocket),
  'CONNECT to other namespaces': (url) => repeat(url, frame('40/elsewhere,')),
  'CONNECT by polling': (url) => post(url, '40'),
  acknowledgements: (url) => repeat(url, frame('431[]')),
  'binary attachments': (url) =>
    repeat(
      url,
      Buffer.concat([
        frame('451-["ping",{"_placeholder":true,"num":0}]'),
        frame('x', { opcode: OPCODE.binary }),
      ]),
    ),
  leaving: (url) => repeat(url, frame('41')),
  pongs: (url) => repeat(url, frame('3')),
  'pings of WebSocket': (url) => repeat(url, frame('x', { opcode: OPCODE.ping })),

  /** More connections than files may be open at first, each alive. */
  'open files': (url) => {
    const request = head('GET', '/healthz', [['Host', new URL(url).host]]);
    again(1100, async (i) => {
      // Not all in one instant.
      await sleep(i / 2);
      const connection = await openRaw(url, { localAddress: address() });
      while (connection.isOpen) {
        await connection.write(request);
        await Promise.race([connection.closed, sleep(8000)]);
      }
    });
  },

  /** A page elsewhere that is full of pictures from here. */
  'pictures of another site': (url) =>
    again(10, () =>
      statusOf(url, 'GET', `/socket.io/?${sent++}`, PICTURE, { localAddress: address() }),
    ),

  /** Two hundred sessions, each opened with as large a head as is taken. */
  'large heads': (url) => {
    const headers = Array.from({ length: 95 }, (_, i) => [`X-${i}`, 'x'.repeat(4600)]);
    again(200, async (i) => {
      const localAddress = address(i % 4);
      const { connection, status } = await askForWebSocket(url, { localAddress, headers });
      if (status !== 101) return connection.drop();
      await connection.write(frame(connectPacket(viewer())));
      return connection.closed;
    });
  },

  /** Three sessions, each with 125 who want to be its WebSocket. */
  upgrades: (url) =>
    again(3, async () => {
      const session = await openPolling(url);
      await session.connect(viewer());
      const { sid } = Object.fromEntries(new URL(session.url).searchParams);
      const path = `/socket.io/?EIO=4&transport=websocket&sid=${sid}`;
      const upgrade = async () => {
        const { connection, status } = await askForWebSocket(url, { localAddress: address(), path });
        if (status !== 101) return connection.drop();
        await connection.write(frame('2probe'));
        return connection.closed;
      };
      await Promise.allSettled(Array.from({ length: 125 }, upgrade));
    }),

  /** Pages without end: 900 connections, each with 64 requests behind each other. */
  'pipelined pages': (url) => pipeline(url, '/'),
  'pipelined boards': (url) => pipeline(url, '/api/v1/leaderboard'),
  'pipelined files': (url) => pipeline(url, '/favicon.svg'),

  /** A thousand who ask for eight pages of a large board each, and read nothing. */
  'pages that nobody reads': (url) => {
    const asked = head('GET', '/', [['Host', new URL(url).host]]).repeat(8);
    again(1000, async (i) => {
      await sleep(i / 2);
      const connection = await openRaw(url, { localAddress: address() });
      connection.stopReading();
      await connection.write(asked);
      await connection.closed;
    });
  },

  /** The same word fifty times, and each search another. */
  searches: (url) =>
    ask(url, 220, () => `/api/v1/users?q=${'a+'.repeat(46)}p${sent++ % 1000}&limit=50`),

  /** Histories of somebody who did very much. */
  'long histories': (url, { busy }) =>
    ask(url, 100, () => `/api/v1/users/${busy}/history?points=${1 + (sent++ % 1000)}`),

  /** Forty who ask for the whole board again and again, and never take it. */
  'boards that nobody takes': (url) =>
    again(40, async () => {
      const session = await openPolling(url);
      await session.connect(viewer());
      for (let i = 0; i < 50; i++) await session.emit('subscribe_scoreboard');
      while (await session.isOpen()) await sleep(1000);
    }),
};

const [name, url, needs] = process.argv.slice(2);
setTimeout(() => process.exit(1), LIFETIME_MS);
process.once('disconnect', () => process.exit(1));
attacks[name](url, JSON.parse(needs));
