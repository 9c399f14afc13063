// nginx and HAProxy with the very files that docs/balancers has, on a free port, before
// nodes that were started here.

import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import { freePort, onExitOfTests, within } from './podium.mjs';

const READY_WITHIN_MS = 30_000;
const EXIT_WITHIN_MS = 30_000;

/** Debian keeps both where only root's PATH has them. */
const PATH = `${process.env.PATH}:/usr/sbin`;

const isRoot = process.getuid() === 0;

const BALANCERS = {
  nginx: {
    file: 'nginx.conf',
    /** Before one board under a path, which it takes away if it is to. */
    underPath: 'nginx-path.conf',
    strip: (text) => text.replace('proxy_pass http://board;', 'proxy_pass http://board/;'),
    /** Its scratch folders are the system's otherwise. */
    configure: (text, folder) => {
      const kinds = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
      const paths = kinds.map((kind) => `${kind}_temp_path ${folder}/${kind};`);
      return text.replace('http {', `http {\n${paths.join('\n')}`);
    },
    listen: (port) => [/listen 80;/, `listen 127.0.0.1:${port};`],
    command: (file, folder) => [
      'nginx',
      ...['-p', folder, '-e', 'stderr', '-c', file],
      ...['-g', `daemon off; pid ${folder}/nginx.pid;`],
    ],
  },
  haproxy: {
    file: 'haproxy.cfg',
    underPath: 'haproxy-path.cfg',
    strip: (text) => text.replace('# http-request replace-path', 'http-request replace-path'),
    /** Only root can become another user. */
    configure: (text) => (isRoot ? text : text.replace(/^ +(user|group) .*\n/gm, '')),
    listen: (port) => [/bind :80$/m, `bind 127.0.0.1:${port}`],
    command: (file) => ['haproxy', '-db', '-f', file],
  },
};

/** The names of those that can be started. */
export const balancers = Object.keys(BALANCERS);

/** The text with the place of each of the three nodes that it names. */
function withNodes(text, nodes) {
  return text.replace(/^.*10\.0\.0\.(\d):3000.*\n/gm, (line, number) => {
    const node = nodes[number - 1];
    return node === undefined ? '' : line.replace(/10\.0\.0\.\d:3000/, new URL(node.url).host);
  });
}

/**
 * Starts one before up to three nodes.
 *
 * @param {'nginx' | 'haproxy'} name
 * @param {{url: string}[]} nodes
 * @param {object} [options]
 * @param {'left' | 'stripped'} [options.path] with the file for one board under /board,
 *   and what becomes of the path
 */
export async function startBalancer(name, nodes, { path: underPath } = {}) {
  const { configure, listen, command, ...about } = BALANCERS[name];
  const file = underPath === undefined ? about.file : about.underPath;
  const folder = mkdtempSync(join(tmpdir(), `podium-${name}-`));
  // Those who serve are not root.
  chmodSync(folder, 0o755);
  const port = await freePort();
  const published = readFileSync(new URL(`../../docs/balancers/${file}`, import.meta.url), 'utf8');
  const chosen = underPath === 'stripped' ? about.strip(published) : published;
  const configured = configure(withNodes(chosen, nodes), folder).replace(...listen(port));
  const path = join(folder, file);
  writeFileSync(path, configured);

  const [program, ...args] = command(path, folder);
  const child = spawn(program, args, {
    env: { ...process.env, PATH },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  // Not SIGKILL: the workers of nginx would stay.
  onExitOfTests(() => {
    child.kill('SIGTERM');
    rmSync(folder, { recursive: true, force: true });
  });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (errors += text));
  const exited = new Promise((resolve) => child.once('close', resolve));
  const ended = exited.then(() => {
    throw new Error(`${name} has ended:\n${errors}`);
  });
  const failed = new Promise((_, reject) => {
    child.once('error', (error) => {
      reject(new Error(`cannot run ${name} (${error.message}): scripts/setup --tests installs it`));
    });
  });
  // Whoever stops it expects the end.
  ended.catch(() => {});

  const url = `http://127.0.0.1:${port}`;
  let isWaiting = true;
  const ready = async () => {
    while (isWaiting) {
      const status = await fetch(`${url}${underPath ? '/board' : ''}/readyz`).then((response) => response.status, () => 0);
      if (status === 200) return;
      await pause(20);
    }
  };
  try {
    const late = () => `${name} forwards nothing:\n${errors}`;
    await within(READY_WITHIN_MS, Promise.race([ready(), ended, failed]), late);
  } finally {
    isWaiting = false;
  }
  return {
    url,
    /** What it has said of nodes that failed. */
    log: () => errors,
    stop: () => {
      child.kill('SIGTERM');
      return within(EXIT_WITHIN_MS, exited, () => `${name} did not stop:\n${errors}`);
    },
  };
}
