// The hostile clients of hostile.mjs, in a process of their own: connections that
// subscribe to the board and never read again, and others that send a request one
// byte every 2 s. Its arguments: the server's address, and how many of either.
//
// It learns from the kernel's table when the server has closed a connection: who
// does not read is not told. Node cannot make a receive buffer small; frames of 50
// rows fill the kernel's own in a few seconds.

import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';

import { token } from '../../end2end/support/podium.mjs';
import { frame } from '../../end2end/support/raw.mjs';
import { inWaves } from './support.mjs';

const AT_ONCE = 50;
const BYTE_EVERY_MS = 2000;
const LOOK_EVERY_MS = 250;
/** The parent ends this process earlier. */
const LIFETIME_MS = 60_000;

const [url, stopped, slow] = process.argv.slice(2);
const { hostname, port } = new URL(url);

async function open() {
  const socket = connect({ host: hostname, port: Number(port) });
  // That it is cut off is what it is here for.
  socket.on('error', () => {});
  await once(socket, 'connect');
  return { socket, localPort: socket.localPort, since: performance.now() };
}

/** Reads until this text has come. */
async function readUntil(socket, text) {
  let received = '';
  for await (const data of socket.iterator({ destroyOnReturn: false })) {
    received += data.toString('latin1');
    if (received.includes(text)) return;
  }
  throw new Error(`the server closed a connection that was to stop reading: ${received}`);
}

/** Subscribes, and reads no more. */
async function stopReading() {
  const opened = await open();
  const { socket } = opened;
  const key = randomBytes(16).toString('base64');
  socket.write(
    `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: ${hostname}:${port}\r\n` +
      'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
      `Sec-WebSocket-Key: ${key}\r\n\r\n`,
  );
  await readUntil(socket, '"pingInterval"');
  const viewer = token({ user: randomUUID(), role: 'viewer' });
  socket.write(frame(`40${JSON.stringify({ token: viewer })}`));
  await readUntil(socket, '40{');
  socket.pause();
  socket.write(frame('42["subscribe_scoreboard"]'));
  return { ...opened, since: performance.now() };
}

/** Begins a request that will never be whole. */
async function dawdle() {
  const opened = await open();
  const request = `GET / HTTP/1.1\r\nHost: ${hostname}\r\nX-Padding: ${'x'.repeat(1000)}`;
  let sent = 0;
  const next = () => opened.socket.writable && opened.socket.write(request[sent++]);
  next();
  const timer = setInterval(next, BYTE_EVERY_MS);
  opened.socket.on('close', () => clearInterval(timer));
  opened.socket.resume();
  return opened;
}

/** The ports from which connections are open, as the server's side has them. */
async function openPorts() {
  const hex = (number) => Number(number).toString(16).toUpperCase().padStart(4, '0');
  const ESTABLISHED = '01';
  const ports = new Set();
  for (const line of (await readFile('/proc/net/tcp', 'utf8')).split('\n')) {
    const [, local, remote, state] = line.trim().split(/\s+/);
    if (state === ESTABLISHED && local.endsWith(`:${hex(port)}`)) {
      ports.add(Number.parseInt(remote.split(':')[1], 16));
    }
  }
  return ports;
}

const times = { 'stopped reading': [], 'a byte every 2 s': [] };
setTimeout(() => process.exit(1), LIFETIME_MS).unref();

const watched = [];
const add = (kind, opening) => async () => {
  watched.push({ kind, ...(await opening()) });
};
// Connections may be closed while others are still being opened.
let opening = 2;
const opened = Promise.all([
  inWaves(Number(stopped), AT_ONCE, add('stopped reading', stopReading)),
  inWaves(Number(slow), AT_ONCE, add('a byte every 2 s', dawdle)),
]).then(() => (opening = 0));

const look = async () => {
  // Only those who were open when the table is read can be missing from it.
  const open = watched.filter(({ closed }) => !closed);
  const ports = await openPorts();
  for (const client of open) {
    if (ports.has(client.localPort)) continue;
    client.closed = true;
    times[client.kind].push(performance.now() - client.since);
  }
  const closed = opening === 0 && watched.every(({ closed }) => closed);
  process.send({ times, closed });
  if (!closed) setTimeout(look, LOOK_EVERY_MS);
};
look();

await opened;
process.send({ open: { 'stopped reading': Number(stopped), 'a byte every 2 s': Number(slow) } });
