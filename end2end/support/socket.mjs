// Sockets of the official client that forget nothing: every event is kept from
// the first, so a test may await it before or after it arrives and needs no sleep.

import { io } from 'socket.io-client';

/** Nothing takes this long; it only turns a hang into a message. */
const SAFETY_MS = 30_000;

const inboxes = new WeakMap();
/** Those that are open, and to which server. */
const opened = new Map();

/** Everything that one socket has received. */
class Inbox {
  #payloads = new Map();
  #taken = new Map();
  /** Called after every arrival. */
  waiting = new Set();

  add(name, payload) {
    this.#payloads.set(name, [...this.all(name), payload]);
    for (const look of [...this.waiting]) look();
  }

  all(name) {
    return this.#payloads.get(name) ?? [];
  }

  /** The first match that comes after what was taken before, as `{payload}`. */
  take(name, matches) {
    const from = this.#taken.get(name) ?? 0;
    const payloads = this.all(name);
    const index = payloads.findIndex((payload, i) => i >= from && matches(payload));
    if (index < 0) return undefined;
    this.#taken.set(name, index + 1);
    return { payload: payloads[index] };
  }

  toString() {
    const lines = [...this.#payloads].map(([name, list]) => `${name}: ${JSON.stringify(list)}`);
    return lines.join('\n') || 'nothing';
  }
}

function open(url, { token, ...options } = {}) {
  const socket = io(url, {
    transports: ['websocket'],
    forceNew: true,
    reconnection: false,
    timeout: SAFETY_MS,
    ...(token === undefined ? {} : { auth: { token } }),
    ...options,
  });
  const inbox = new Inbox();
  inboxes.set(socket, inbox);
  opened.set(socket, url);
  socket.onAny((name, payload) => inbox.add(name, payload));
  return socket;
}

/**
 * A connected socket. `token` goes into `auth.token`; all other options are the
 * client's own.
 */
export function connect(url, options) {
  const socket = open(url, options);
  return new Promise((resolve, reject) => {
    const refused = (error) => {
      socket.disconnect();
      reject(new Error(`the server refused the socket: ${error.message}`));
    };
    socket.once('connect_error', refused);
    socket.once('connect', () => {
      // Later errors are those of a client that tries to come back.
      socket.off('connect_error', refused);
      resolve(socket);
    });
  });
}

/** The message with which the server refuses a socket. */
export function connectError(url, options) {
  const socket = open(url, options);
  return new Promise((resolve, reject) => {
    socket.once('connect_error', (error) => {
      socket.disconnect();
      resolve(error.message);
    });
    socket.once('connect', () => {
      socket.disconnect();
      reject(new Error('the server accepted the socket'));
    });
  });
}

/** Closes every socket that a test has left open, or those to one server. */
export function disconnectAll(server) {
  for (const [socket, url] of opened) {
    if (server !== undefined && !url.startsWith(server)) continue;
    socket.disconnect();
    opened.delete(socket);
  }
}

/** The payloads of all events of this name so far, oldest first. */
export function received(socket, name) {
  return inboxes.get(socket).all(name);
}

/**
 * The payload of the first event that matches and comes after the one that the
 * last call for this name gave, be it here already or not.
 */
export function nextEvent(socket, name, matches = () => true) {
  const inbox = inboxes.get(socket);
  return new Promise((resolve, reject) => {
    const settle = (finish, value) => {
      clearTimeout(timer);
      inbox.waiting.delete(look);
      finish(value);
    };
    const look = () => {
      try {
        const found = inbox.take(name, matches);
        if (found) settle(resolve, found.payload);
      } catch (error) {
        settle(reject, error);
      }
    };
    const timer = setTimeout(() => {
      const state = socket.connected ? 'connected' : 'disconnected';
      const message = `no ${name} for which ${matches} within ${SAFETY_MS} ms`;
      settle(reject, new Error(`${message}; the socket is ${state} and has received\n${inbox}`));
    }, SAFETY_MS);
    inbox.waiting.add(look);
    look();
  });
}

/** Sends an event and resolves to the server's acknowledgement. */
export async function ask(socket, name, ...payload) {
  try {
    return await socket.timeout(SAFETY_MS).emitWithAck(name, ...payload);
  } catch (error) {
    throw new Error(`no acknowledgement of ${name}: ${error.message}`);
  }
}

/** Returns when everything that the server sent this socket before is here. */
export async function roundTrip(socket) {
  socket.emit('ping');
  await nextEvent(socket, 'pong');
}
