// The server under test, in a process of its own, and the few HTTP calls that
// prepare a board. Knows nothing of sockets and asserts nothing about answers.

import { execFile, spawn } from 'node:child_process';
import { createHmac, randomInt, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const PODIUM = process.env.PODIUM_BIN ?? join(ROOT, 'target/release/podium');
const SECRET = 'end2end-only-4vR9qTz2LmW7cKp3NsY8bJd5FgU6aEo1iQr';

const READY_LINE = /^Podium is ready at (http:\/\/\S+)$/;
const READY_WITHIN_MS = 60_000;
/** Longer than the notice that the server gives before it stops, 30 s. */
const EXIT_WITHIN_MS = 60_000;
const ANSWER_WITHIN_MS = 30_000;

/**
 * Starts `podium serve` and waits until it listens.
 *
 * @param {object} [options]
 * @param {Record<string, string>} [options.env] over the harness's own settings
 * @param {string[]} [options.args] after `serve`
 * @param {string} [options.database] the file of an earlier server, to go on with
 * @param {string} [options.redis] the address of a Redis that keeps the board instead
 * @param {string} [options.openFiles] how many files it may open: `SOFT:HARD`, as of
 *   `prlimit`
 * @param {string} [options.binary] another program that serves as it does
 * @param {boolean} [options.fails] is it to end with an error?
 */
export async function startPodium({
  env = {},
  args = [],
  database,
  redis,
  openFiles,
  binary = PODIUM,
  fails = false,
} = {}) {
  if (redis === undefined) database ??= temporaryDatabase();
  // One of its own, so that another server can come back on it.
  const address = env.LEPTOS_SITE_ADDR ?? `127.0.0.1:${await freePort()}`;
  const command = [binary, 'serve', ...args];
  // It becomes the server, in the same process.
  if (openFiles !== undefined) command.unshift('prlimit', `--nofile=${openFiles}`);
  const child = spawn(command[0], command.slice(1), {
    cwd: ROOT,
    env: { ...commandEnv(redis ?? `sqlite:${database}`), ...env, LEPTOS_SITE_ADDR: address },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const exited = exitOf(child);
  const log = new Log(child.stderr);
  onExitOfTests(() => child.kill('SIGKILL'));

  const url = await readyUrl(child, log, fails ? new Promise(() => {}) : exited);
  const end = (signal) => {
    child.kill(signal);
    return within(EXIT_WITHIN_MS, exited, () => {
      child.kill('SIGKILL');
      return `podium did not exit within ${EXIT_WITHIN_MS} ms of ${signal}`;
    });
  };
  return {
    url,
    process: child,
    /** Resolves to `{code, signal}` when it has ended. */
    exited,
    log,
    database,
    /** Asks the server to stop; resolves to `{code, signal}` when it has. */
    stop: () => end('SIGTERM'),
    /** Takes the server down as a power cut would. */
    kill: () => end('SIGKILL'),
  };
}

/**
 * A new board with these users and actions on it, as `database` of `startPodium`.
 * Thousands of them take a second this way.
 *
 * @param {object[]} lines as in a file for `podium import`
 * @param {Record<string, string>} [env] as of the server that is to open it
 */
export async function importedDatabase(lines, env = {}) {
  const database = temporaryDatabase();
  const file = `${database}.ndjson`;
  writeFileSync(file, lines.map((line) => JSON.stringify(line)).join('\n'));
  await promisify(execFile)(PODIUM, ['import', file], {
    cwd: ROOT,
    env: { ...commandEnv(`sqlite:${database}`), ...env },
  });
  return database;
}

/** Settings that suit tests: any free port, no limits on this machine, no farewell. */
function defaultEnv(store) {
  return {
    LEPTOS_SITE_ADDR: '127.0.0.1:0',
    JWT_SECRET: SECRET,
    PODIUM_STORE__URL: store,
    PODIUM_LIMITS__ALLOW: '127.0.0.0/8',
    PODIUM_SHUTDOWN__NOTICE: '0s',
    RUST_LOG: 'warn',
  };
}

/** The environment of a command of `podium` whose board is in this store. */
export function commandEnv(store) {
  return { ...inheritedEnv(), ...defaultEnv(store) };
}

/** The environment without what would configure a server of the developer's own. */
function inheritedEnv() {
  const ours = /^(PODIUM_|LEPTOS_|JWT_|TICKET_|REDIS_URL|FRONTEND_URLS)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name)));
}

function temporaryDatabase() {
  const folder = mkdtempSync(join(tmpdir(), 'podium-'));
  onExitOfTests(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'podium.db');
}

/** What a server has written to stderr: it may be read some time after it was written. */
export class Log {
  text = '';
  /** Resolves to all of it when the server has ended. */
  ended;

  #stream;

  constructor(stream) {
    this.#stream = stream;
    stream.setEncoding('utf8').on('data', (text) => (this.text += text));
    this.ended = new Promise((resolve) => stream.once('close', () => resolve(this.text)));
  }

  /** Its lines with this in them. */
  linesWith(words) {
    return this.text.split('\n').filter((line) => line.includes(words));
  }

  /** Waits until this is in it. */
  async says(pattern) {
    const said = new Promise((resolve) => {
      const look = () => {
        if (!pattern.test(this.text)) return;
        this.#stream.off('data', look);
        resolve();
      };
      this.#stream.on('data', look);
      look();
    });
    await within(ANSWER_WITHIN_MS, said, () => `no ${pattern} in the log:\n${this.text}`);
  }
}

/** Ports that Linux gives to nobody of its own accord, neither to clients nor for port 0. */
const PORTS = { first: 10_000, end: 32_768 };
/** Where a port is held by whoever took it, and nobody listens on the same port. */
const HELD_AT = '127.255.255.254';

/**
 * A port for a server of the tests, which no other test takes until this process has
 * ended: servers may come and go on it.
 */
export async function freePort() {
  for (;;) {
    const port = randomInt(PORTS.first, PORTS.end);
    const holder = await listen(port, HELD_AT);
    if (holder === undefined) continue;
    const probe = await listen(port, '127.0.0.1');
    if (probe === undefined) {
      holder.close();
      continue;
    }
    probe.close();
    await once(probe, 'close');
    holder.unref();
    return port;
  }
}

/** Listens there, unless somebody does. */
async function listen(port, host) {
  const server = createServer();
  try {
    await once(server.listen(port, host), 'listening');
    return server;
  } catch {
    return undefined;
  }
}

function exitOf(child) {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
}

async function readyUrl(child, log, exited) {
  const ready = new Promise((resolve, reject) => {
    child.once('error', (error) => {
      reject(new Error(`cannot run ${PODIUM} (${error.message}): build it, or set PODIUM_BIN`));
    });
    child.once('close', (code, signal) => {
      reject(new Error(`podium ended before it listened (${signal ?? code}):\n${log.text}`));
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      const match = READY_LINE.exec(line);
      if (match) resolve(match[1]);
    });
  });
  const url = await within(READY_WITHIN_MS, ready, () => {
    child.kill('SIGKILL');
    return `podium did not listen within ${READY_WITHIN_MS} ms:\n${log.text}`;
  });
  // Death in the middle of a test would otherwise show only as a refused connection.
  exited.then(({ code, signal }) => {
    if (code !== 0 && !child.killed) console.error(`podium died (${signal ?? code}):\n${log.text}`);
  });
  return url;
}

/** The promise, or an error with the message that `late()` gives. */
export function within(milliseconds, promise, late) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(late())), milliseconds);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

const atExit = [];

/** Does this when the process of the tests ends, the latest first. */
export function onExitOfTests(action) {
  if (atExit.length === 0) {
    process.once('exit', () => atExit.toReversed().forEach((action) => action()));
    for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
  }
  atExit.push(action);
}

/**
 * A JSON Web Token. A claim that is `undefined` in `claims` is left out.
 *
 * @param {object} options
 * @param {string} [options.user] the claim `sub`
 * @param {string} [options.role]
 * @param {number} [options.ttlSeconds] negative for a token that has expired
 * @param {string} [options.secret]
 * @param {'HS256' | 'none'} [options.algorithm]
 * @param {object} [options.claims] over the others
 */
export function token({
  user,
  role = 'player',
  ttlSeconds = 3600,
  secret = SECRET,
  algorithm = 'HS256',
  claims = {},
}) {
  const now = Math.floor(Date.now() / 1000);
  const payload = { sub: user, role, iat: now, exp: now + ttlSeconds, ...claims };
  return sign(payload, { secret, algorithm });
}

/**
 * A ticket for one action. A claim that is `undefined` in `claims` is left out.
 *
 * @param {object} options
 * @param {string} [options.user] the claim `sub`
 * @param {string} [options.actionId] the claim `jti`
 * @param {string} [options.actionType]
 * @param {number} [options.scoreIncrease]
 * @param {number} [options.ttlSeconds] negative for a ticket that has expired
 * @param {string} [options.secret]
 * @param {'HS256' | 'HS512' | 'none'} [options.algorithm]
 * @param {object} [options.claims] over the others
 */
export function ticket({
  user,
  actionId = randomUUID(),
  actionType = 'test',
  scoreIncrease,
  ttlSeconds = 60,
  secret = SECRET,
  algorithm = 'HS256',
  claims = {},
}) {
  const exp = Math.floor(Date.now() / 1000) + ttlSeconds;
  const payload = { sub: user, jti: actionId, actionType, scoreIncrease, exp, ...claims };
  return sign(payload, { secret, algorithm });
}

const DIGESTS = { HS256: 'sha256', HS512: 'sha512' };

function sign(claims, { secret, algorithm }) {
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const content = `${encode({ alg: algorithm, typ: 'JWT' })}.${encode(claims)}`;
  const digest = DIGESTS[algorithm];
  const signature = digest ? createHmac(digest, secret).update(content).digest('base64url') : '';
  return `${content}.${signature}`;
}

/** A token that may register users and send actions. */
export function publisherToken() {
  return token({ user: randomUUID(), role: 'publisher' });
}

/**
 * One HTTP request by a connection of its own, which nobody has closed meanwhile. `body` is
 * sent as JSON, `text` as it stands but called JSON. Resolves to
 * `{status, contentType, retryAfter, body}` whatever the status.
 */
export async function request(url, method, path, { token, body, text, headers: more } = {}) {
  const content = text ?? (body === undefined ? undefined : JSON.stringify(body));
  const headers = { ...more };
  if (token !== undefined) headers.authorization = `Bearer ${token}`;
  if (content !== undefined) {
    headers['content-type'] = 'application/json';
    headers['content-length'] = Buffer.byteLength(content);
  }

  const response = await exchange(new URL(path, url), { method, headers, agent: false }, content);
  const contentType = response.headers['content-type'] ?? '';
  const isJson = /^application\/(\w+\+)?json\b/.test(contentType);
  return {
    status: response.statusCode,
    contentType,
    retryAfter: response.headers['retry-after'],
    headers: response.headers,
    body: isJson ? JSON.parse(response.text) : response.text,
  };
}

/** Sends this and reads the answer to its end. `fetch` would give up a slow connection. */
function exchange(url, options, content) {
  return new Promise((resolve, reject) => {
    const asked = http.request(url, options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part) => (text += part));
      response.once('error', reject).once('end', () => resolve(Object.assign(response, { text })));
    });
    const late = () => asked.destroy(new Error(`no answer within ${ANSWER_WITHIN_MS} ms`));
    asked.once('error', reject).setTimeout(ANSWER_WITHIN_MS, late);
    asked.end(content);
  });
}

/** Registers or changes a user; resolves to the user as the server shows it. */
export function putUser(url, id, username, avatar) {
  return accepted(url, 'PUT', `/api/v1/users/${id}`, { username, avatar });
}

/** Registers somebody new; resolves to the id. */
export async function newUser(podium, username = 'Ada') {
  const id = randomUUID();
  await putUser(podium.url, id, username);
  return id;
}

/** Sends actions as a publisher; resolves to the response whatever it says. */
export function postActions(podium, body) {
  return request(podium.url, 'POST', '/api/v1/actions', { token: publisherToken(), body });
}

/** The body of an action, with a fresh id unless one is given. */
export function action({ userId, scoreIncrease, actionType = 'test', actionId = randomUUID() }) {
  return { actionId, userId, actionType, scoreIncrease };
}

/** Sends one action; resolves to its answer. */
export function act(url, parts) {
  return accepted(url, 'POST', '/api/v1/actions', action(parts));
}

/** Sends several actions in one request; resolves to their answers. */
export function actAll(url, actions) {
  return accepted(url, 'POST', '/api/v1/actions', actions.map(action));
}

/** The board as HTTP tells it. */
export async function leaderboard(url, query = '') {
  return accepted(url, 'GET', `/api/v1/leaderboard${query}`);
}

async function accepted(url, method, path, body) {
  const answer = await request(url, method, path, { token: publisherToken(), body });
  if (![200, 201].includes(answer.status)) {
    throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  }
  return answer.body;
}
