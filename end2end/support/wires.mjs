// Connections that can be treated badly on purpose: stalled, which means that
// nothing is read any more, and dropped, which means gone without a goodbye. Both
// kinds of wire look the same to whoever uses them, and neither comes back by itself.

import { io } from 'socket.io-client';

import { openPolling } from './polling.mjs';

/** What both have in common. */
class Wire {
  /** To be set: called when a connection was made, and when it was lost. */
  onConnect = () => {};
  onLost = () => {};
  /** To be set: called with the name and the payload of each event. */
  onEvent = () => {};

  stalled = false;

  constructor(url, token) {
    this.url = url;
    this.token = token;
  }
}

/** The official client over one transport. */
export class OfficialWire extends Wire {
  #socket;
  #transport;

  constructor(url, token, transport) {
    super(url, token);
    this.#transport = transport;
    this.#socket = io(url, {
      transports: [transport],
      forceNew: true,
      autoConnect: false,
      reconnection: false,
      auth: { token },
    });
    this.#socket.on('connect', () => this.onConnect());
    this.#socket.on('disconnect', () => {
      this.stalled = false;
      this.onLost();
    });
    this.#socket.onAny((name, payload) => this.onEvent(name, payload));
  }

  get connected() {
    return this.#socket.connected;
  }

  /** The client's own polling cannot be kept from reading. */
  get canStall() {
    return this.#transport === 'websocket';
  }

  connect() {
    return new Promise((resolve, reject) => {
      const settle = (finish) => (value) => {
        this.#socket.off('connect', connected).off('connect_error', refused);
        finish(value);
      };
      const [connected, refused] = [settle(resolve), settle(reject)];
      this.#socket.on('connect', connected).on('connect_error', refused).connect();
    });
  }

  emit(name, payload) {
    this.#socket.emit(name, payload);
  }

  stall() {
    this.stalled = true;
    this.#engineTransport.ws.pause();
  }

  resume() {
    this.stalled = false;
    this.#engineTransport.ws.resume();
  }

  drop() {
    const gone = new Promise((resolve) => this.#socket.once('disconnect', resolve));
    if (this.#transport === 'websocket') {
      if (this.stalled) this.resume();
      this.#engineTransport.ws.terminate();
    } else {
      // As if the network were gone: the next request would fail, and none is sent.
      this.#engineTransport.onClose({ description: 'dropped by the test' });
    }
    return gone;
  }

  close() {
    this.#socket.disconnect();
  }

  get #engineTransport() {
    return this.#socket.io.engine.transport;
  }
}

/** Polling by hand, which stops reading when it is told to. */
export class PollingWire extends Wire {
  canStall = true;

  /** `{client, reading, sent}`; another one, or none, after the connection was lost. */
  #session;

  get connected() {
    return this.#session !== undefined;
  }

  async connect() {
    const client = await openPolling(this.url);
    await client.connect(this.token);
    this.#session = { client, reading: false, sent: Promise.resolve() };
    this.#read(this.#session);
    this.onConnect();
  }

  emit(...event) {
    return this.#send((client) => client.emit(...event));
  }

  async stall() {
    this.stalled = true;
    // Answers that it does not read fill all the places that the server has for it.
    const pings = Array(10).fill('42["ping"]');
    for (let i = 0; i < 20; i++) await this.#send((client) => client.send(...pings));
  }

  resume() {
    this.stalled = false;
    this.#read(this.#session);
  }

  async drop() {
    this.#lose(this.#session);
  }

  /** Nobody answers for it any more. */
  close() {
    this.onLost = () => {};
    this.#lose(this.#session);
  }

  /** One request after the other, so that they arrive in this order. */
  #send(request) {
    const session = this.#session;
    if (session === undefined) return undefined;
    session.sent = session.sent.then(() => request(session.client)).catch(() => this.#lose(session));
    return session.sent;
  }

  async #read(session) {
    // There must never be two requests that wait.
    if (session.reading) return;
    session.reading = true;
    try {
      while (session === this.#session && !this.stalled) {
        const events = await session.client.read();
        if (session !== this.#session) return;
        for (const [name, payload] of events) this.onEvent(name, payload);
      }
    } catch {
      this.#lose(session);
    }
    session.reading = false;
  }

  #lose(session) {
    if (session === undefined || session !== this.#session) return;
    this.#session = undefined;
    this.stalled = false;
    this.onLost();
  }
}
