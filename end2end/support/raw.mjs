// Connections by hand, for what no proper client sends: heads as they stand, and
// frames of WebSocket with any mask, opcode and length (RFC 6455, section 5.2).

import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { token, within } from './podium.mjs';

/** Nothing takes this long; it only turns a hang into a message. */
const SAFETY_MS = 30_000;
/** So much of what came last is kept to look at. */
const KEPT_BYTES = 65_536;

export const OPCODE = { continuation: 0x0, text: 0x1, binary: 0x2, close: 0x8, ping: 0x9, pong: 0xa };

/**
 * A frame of a client. The mask is one of zeros, which changes nothing.
 *
 * @param {string | Buffer} content
 * @param {object} [options]
 * @param {number} [options.opcode]
 * @param {boolean} [options.fin] false if more frames of the message follow
 * @param {boolean} [options.masked] false as only servers may
 * @param {number} [options.length] what the frame says its length is
 */
export function frame(content, { opcode = OPCODE.text, fin = true, masked = true, length } = {}) {
  const payload = Buffer.from(content);
  const stated = length ?? payload.length;
  const head = Buffer.alloc(stated < 126 ? 2 : stated < 65_536 ? 4 : 10);
  head[0] = (fin ? 0x80 : 0) | opcode;
  head[1] = (masked ? 0x80 : 0) | (stated < 126 ? stated : stated < 65_536 ? 126 : 127);
  if (head.length === 4) head.writeUInt16BE(stated, 2);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(stated), 2);
  return Buffer.concat([head, Buffer.alloc(masked ? 4 : 0), payload]);
}

/** A message whose content comes in so many frames. */
export function fragments(...contents) {
  const last = contents.length - 1;
  return Buffer.concat(
    contents.map((content, i) =>
      frame(content, { opcode: i === 0 ? OPCODE.text : OPCODE.continuation, fin: i === last }),
    ),
  );
}

/** The head of a request. A header may come twice, so they are a list. */
export function head(method, path, headers) {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

const WEBSOCKET = '/socket.io/?EIO=4&transport=websocket';

/** The headers that ask for a WebSocket. */
export function upgradeHeaders() {
  return [
    ['Connection', 'Upgrade'],
    ['Upgrade', 'websocket'],
    ['Sec-WebSocket-Version', '13'],
    ['Sec-WebSocket-Key', randomBytes(16).toString('base64')],
  ];
}

/** A TCP connection, which reads and forgets until somebody waits for something. */
export class RawConnection {
  /** The end of what the server has sent, in Latin-1. */
  received = '';
  /** Resolves when the connection is no more, whoever ended it. */
  closed;

  #socket;
  #look = () => {};

  constructor(socket) {
    this.#socket = socket;
    // To be cut off is what it is here for.
    socket.on('error', () => {});
    socket.on('data', (data) => {
      this.received = (this.received + data.toString('latin1')).slice(-KEPT_BYTES);
      this.#look();
    });
    this.closed = new Promise((resolve) => socket.once('close', resolve));
  }

  get isOpen() {
    return !this.#socket.destroyed;
  }

  get localPort() {
    return this.#socket.localPort;
  }

  /** Resolves when the kernel has taken it, or the connection is no more. */
  write(data) {
    const taken = new Promise((resolve) => this.#socket.write(data, resolve));
    return Promise.race([taken, this.closed]);
  }

  /** Waits until this text was among what has come last. */
  readUntil(text) {
    const found = new Promise((resolve, reject) => {
      this.#look = () => this.received.includes(text) && resolve();
      this.#look();
      this.closed.then(() => reject(new Error(`closed before ${text}: ${this.received}`)));
    });
    return within(SAFETY_MS, found, () => `no ${text}: ${this.received}`);
  }

  /** Waits for the head of an answer; resolves to its status. */
  async status() {
    await this.readUntil('\r\n\r\n');
    return Number(/HTTP\/1\.1 (\d{3})/.exec(this.received)[1]);
  }

  /** Has this called with whatever comes, from now on. */
  onData(see) {
    this.#socket.on('data', (data) => see(data.toString('latin1')));
  }

  /** From now on it takes nothing that the server sends. */
  stopReading() {
    this.#socket.pause();
  }

  /** From now on it takes so many bytes a second. */
  readSlowly(bytesPerSecond) {
    const socket = this.#socket;
    socket.removeAllListeners('data').pause();
    const timer = setInterval(() => socket.read(bytesPerSecond / 10), 100);
    this.closed.then(() => clearInterval(timer));
  }

  /** Gone without a goodbye: the kernel answers whatever comes with a reset. */
  drop() {
    this.#socket.resetAndDestroy();
  }
}

/**
 * A connection of which nothing was said yet, from one of this machine's addresses.
 *
 * @param {string} url
 * @param {object} [options]
 * @param {string} [options.localAddress]
 * @param {number} [options.patience] milliseconds after which it is given up
 */
export async function openRaw(url, { localAddress, patience = SAFETY_MS } = {}) {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), localAddress });
  const connection = new RawConnection(socket);
  const opened = Promise.race([once(socket, 'connect'), connection.closed]);
  // The kernel would go on trying for minutes.
  await within(patience, opened, () => {
    connection.drop();
    return 'no connection was accepted';
  });
  return connection;
}

/**
 * Sends a request and takes so many bytes of the answer at a time, with a pause after each:
 * the rest stays in the kernel. Resolves, when the connection is no more, to how many it has
 * taken and whether the server has reset it.
 */
export function readInSips(url, request, { bytes, pauseMs, localAddress }) {
  const { hostname, port } = new URL(url);
  let taken = 0;
  let wasReset = false;
  const sip = (count) => {
    taken += count;
    setTimeout(() => socket.resume(), pauseMs);
    return false;
  };
  const socket = connect({
    ...{ host: hostname, port: Number(port), localAddress },
    onread: { buffer: Buffer.alloc(bytes), callback: sip },
  });
  socket.on('error', () => (wasReset = true));
  socket.write(request);
  const closed = once(socket, 'close').then(() => ({ taken, wasReset }));
  return { closed, drop: () => socket.resetAndDestroy() };
}

/** Sends a request with these headers alone, and Host; resolves to its status. */
export async function statusOf(url, method, path, headers = [], { localAddress } = {}) {
  const connection = await openRaw(url, { localAddress });
  try {
    // A server that refuses a long head need not wait for the end of it.
    connection.write(head(method, path, [['Host', new URL(url).host], ...headers]));
    return await connection.status();
  } finally {
    connection.drop();
  }
}

/**
 * Asks for a WebSocket, and resolves to the connection and the status of the answer.
 *
 * @param {string} url
 * @param {object} [options]
 * @param {string} [options.localAddress]
 * @param {string} [options.path]
 * @param {[string, string][]} [options.headers] beside those that it takes
 * @param {Buffer} [options.behind] is sent with the head, before there is an answer
 */
export async function askForWebSocket(url, options = {}) {
  const { localAddress, path = WEBSOCKET, headers = [], behind = '' } = options;
  const connection = await openRaw(url, { localAddress });
  const all = [['Host', new URL(url).host], ...upgradeHeaders(), ...headers];
  connection.write(Buffer.concat([Buffer.from(head('GET', path, all)), Buffer.from(behind)]));
  return { connection, status: await connection.status() };
}

/** A WebSocket by which nobody has joined yet. */
export async function openWebSocket(url, options) {
  const { connection, status } = await askForWebSocket(url, options);
  if (status !== 101) throw new Error(`${status} instead of a WebSocket`);
  await connection.readUntil('"pingInterval"');
  return connection;
}

/** The packet CONNECT of a viewer. */
export function connectPacket(credentials = token({ user: randomUUID(), role: 'viewer' })) {
  return `40${JSON.stringify({ token: credentials })}`;
}

/** A WebSocket by which a viewer has joined, or the bearer of the token. */
export async function joinByHand(url, { credentials, ...options } = {}) {
  const connection = await openWebSocket(url, options);
  await connection.write(frame(connectPacket(credentials)));
  await connection.readUntil('40{');
  return connection;
}

/**
 * Writes the same again and again, as fast as it is taken, until the connection is
 * closed or one of the bounds is reached.
 */
export async function flood(connection, data, { bytes, milliseconds }) {
  const over = sleep(milliseconds);
  const end = performance.now() + milliseconds;
  for (let sent = 0; sent < bytes && connection.isOpen && performance.now() < end; ) {
    await Promise.race([connection.write(data), over]);
    sent += data.length;
  }
}

/** How many of these are open when no more are than are allowed, or the time is over. */
export async function openAfter(connections, milliseconds, allowed = 0) {
  const open = () => connections.filter(({ isOpen }) => isOpen).length;
  const end = performance.now() + milliseconds;
  while (open() > allowed && performance.now() < end) await sleep(20);
  return open();
}
