// A redis-server of a test's own: on a free port, with its data in a folder of its own,
// and with all that may happen to one.

import { execFile, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

import { freePort, onExitOfTests, within } from './podium.mjs';

const READY_WITHIN_MS = 30_000;
const ANSWER_WITHIN_MS = 30_000;

/** An answer means that it is on the disk. */
export const DURABLE = { appendonly: 'yes', appendfsync: 'always' };

class Redis {
  #child;
  #exited;
  #folder = mkdtempSync(join(tmpdir(), 'podium-redis-'));
  #settings;

  constructor(port, settings, acl) {
    this.port = port;
    const aclfile = join(this.#folder, 'users.acl');
    if (acl) writeFileSync(aclfile, acl.map((line) => `${line}\n`).join(''));
    this.#settings = {
      port,
      bind: '127.0.0.1',
      dir: this.#folder,
      save: '',
      'enable-debug-command': 'local',
      ...(acl && { aclfile }),
      ...settings,
    };
    onExitOfTests(() => {
      this.#child?.kill('SIGKILL');
      rmSync(this.#folder, { recursive: true, force: true });
    });
  }

  /** What a node is given; `login` is `user:password`, or `:password`. */
  address(login) {
    return `redis://${login === undefined ? '' : `${login}@`}127.0.0.1:${this.port}`;
  }

  /** Starts it, again too: on the same port, with the data that it has left. */
  async start() {
    const settings = Object.entries(this.#settings);
    const args = settings.flatMap(([name, value]) => [`--${name}`, String(value)]);
    const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child = child;
    this.#exited = new Promise((resolve) => child.once('exit', resolve));
    const log = [];
    const ready = new Promise((resolve, reject) => {
      child.once('error', (error) => reject(new Error(`cannot run redis-server: ${error.message}`)));
      child.once('close', () => reject(new Error(`redis-server has ended:\n${log.join('\n')}`)));
      createInterface({ input: child.stdout }).on('line', (line) => {
        log.push(line);
        if (line.includes('Ready to accept connections')) resolve();
      });
    });
    await within(READY_WITHIN_MS, ready, () => `redis-server is not ready:\n${log.join('\n')}`);
  }

  /** Says something to it, as `password` if it wants one; resolves to the answer as text. */
  async command(words, { password } = {}) {
    const env = { ...process.env, ...(password && { REDISCLI_AUTH: password }) };
    const args = ['-h', '127.0.0.1', '-p', String(this.port), '-e', ...words.map(String)];
    const options = { env, timeout: ANSWER_WITHIN_MS };
    const { stdout } = await promisify(execFile)('redis-cli', args, options);
    return stdout.trimEnd();
  }

  /** Runs a script; resolves to what it returns as text. */
  lua(script) {
    return this.command(['--raw', 'EVAL', script, '0']);
  }

  /** Takes it down as a power cut would. */
  kill() {
    this.#child.kill('SIGKILL');
    return this.#exited;
  }

  /** It does nothing any more, and its connections stay. */
  pause() {
    this.#child.kill('SIGSTOP');
  }

  resume() {
    this.#child.kill('SIGCONT');
  }

  /** Copies what is in its folder now; resolves when it is put back, while it is down. */
  copyAside() {
    const copy = mkdtempSync(join(tmpdir(), 'podium-redis-'));
    onExitOfTests(() => rmSync(copy, { recursive: true, force: true }));
    cpSync(this.#folder, copy, { recursive: true });
    return () => {
      rmSync(this.#folder, { recursive: true });
      cpSync(copy, this.#folder, { recursive: true });
    };
  }
}

/**
 * Starts a redis-server, which ends with the tests at the latest.
 *
 * @param {Record<string, string>} [settings] as in redis.conf
 * @param {string[]} [acl] users, as lines of an ACL file
 */
export async function startRedis(settings = {}, acl) {
  const redis = new Redis(await freePort(), settings, acl);
  await redis.start();
  return redis;
}
