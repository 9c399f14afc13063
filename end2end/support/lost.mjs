// Two nodes on one Redis in which something goes missing, or turns up, and what an
// operator then does about it.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';

import { expectProblem } from './expect.mjs';
import { eventually } from './fleet.mjs';
import {
  action,
  commandEnv,
  leaderboard,
  Log,
  newUser,
  PODIUM,
  onExitOfTests,
  postActions,
  request,
  ROOT,
  startPodium,
  token,
} from './podium.mjs';
import { startRedis } from './redis.mjs';

export const KEY = (name) => `podium:{main}:${name}`;

const admin = () => token({ user: randomUUID(), role: 'admin' });

/** Two nodes, with all kinds of keys in their Redis. */
export class Board {
  constructor(redis, nodes) {
    this.redis = redis;
    this.nodes = nodes;
  }

  /** The keys of the board by kind, as arguments of redis-cli. */
  async keys() {
    const { redis } = this;
    const found = await redis.lua(`
      local keys = redis.call('KEYS', 'podium:{main}:*')
      table.sort(keys)
      local names = {}
      for _, key in ipairs(keys) do names[#names + 1] = key:gsub('.', function(c)
        return string.format('%02x', c:byte()) end) end
      return table.concat(names, ' ')`);
    return found.split(' ').filter(Boolean).map((hex) => Buffer.from(hex, 'hex').toString('latin1'));
  }

  /** All that Redis holds of the board, but for who is connected and what halts it. */
  async contents() {
    return this.redis.lua(`
      local all = {}
      local function add(word) all[#all + 1] = tostring(word):gsub('[^%w%p ]', function(c)
        return string.format('%02x', c:byte()) end) end
      local keys = redis.call('KEYS', 'podium:{main}:*')
      table.sort(keys)
      for _, key in ipairs(keys) do
        local kind = redis.call('TYPE', key).ok
        if key ~= 'podium:{main}:nodes' then
          add(key) add(kind)
          if kind == 'string' then add(redis.call('GET', key)) end
          if kind == 'list' then for _, it in ipairs(redis.call('LRANGE', key, 0, -1)) do add(it) end end
          if kind == 'zset' then for _, it in ipairs(redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')) do add(it) end end
          if kind == 'stream' then for _, it in ipairs(redis.call('XRANGE', key, '-', '+')) do
            add(it[1]) for _, field in ipairs(it[2]) do add(field) end end end
          if kind == 'hash' then
            local fields = redis.call('HKEYS', key)
            table.sort(fields)
            for _, field in ipairs(fields) do
              if field ~= 'halted' then add(field) add(redis.call('HGET', key, field)) end
            end
          end
        end
      end
      return table.concat(all, '\\n')`);
  }

  boards() {
    return Promise.all(this.nodes.map(({ url }) => leaderboard(url, '?limit=100')));
  }

  /** Waits until all nodes are ready. */
  ready() {
    return eventually(async () => {
      for (const { url } of this.nodes) {
        const { status, body } = await request(url, 'GET', '/readyz');
        if (body !== 'ready\n') return `${url}: ${status} ${JSON.stringify(body)}`;
      }
      return undefined;
    });
  }

  /** Waits until no node writes any more, and all say why: `words`. */
  async halts(words) {
    for (const { url } of this.nodes) {
      await eventually(async () => {
        const { status, body } = await request(url, 'GET', '/readyz');
        if (status === 503 && words.test(body.detail ?? '')) return undefined;
        return `${url} says ${status} ${JSON.stringify(body)}`;
      });
      const { body } = await request(url, 'GET', '/metrics');
      assert.match(body, /^podium_store_open 0$/m);
    }
  }

  /**
   * After `happen` no node writes, all say why, the board is shown as it was, and nothing in
   * Redis is changed, whatever is sent.
   */
  async survives(happen, words) {
    const shown = await this.boards();
    await happen();
    const left = await this.contents();
    await this.halts(words);
    for (let round = 0; round < 2; round++) {
      for (const node of this.nodes) {
        const answer = await postActions(node, action({ userId: this.user, scoreIncrease: 7 }));
        expectProblem(answer, 503);
        assert.match(answer.body.detail, words);
        assert.match(answer.body.detail, /podium adopt/);
        const put = await request(node.url, 'PUT', `/api/v1/users/${randomUUID()}`, {
          token: admin(),
          body: { username: 'Late' },
        });
        expectProblem(put, 503);
        const path = round === 0 ? '/healthz' : '/';
        assert.equal((await request(node.url, 'GET', path)).status, 200);
      }
    }
    assert.deepEqual(await this.boards(), shown);
    assert.equal(await this.contents(), left);
  }

  /** Runs `podium` with this board's Redis; resolves to its output and exit code. */
  command(...args) {
    return podium(this.redis.address(), args);
  }

  async end() {
    await Promise.all(this.nodes.map((node) => node.kill()));
    await this.redis.kill();
  }
}

export function podium(redis, args, env = {}) {
  const options = { cwd: ROOT, env: { ...commandEnv(redis), ...env } };
  return new Promise((resolve) => {
    execFile(PODIUM, args, options, (error, stdout, stderr) => {
      resolve({ code: error ? error.code : 0, stdout, stderr });
    });
  });
}

/** The operator goes on with what is left; resolves to what they were told before. */
export async function adopt(board) {
  const before = await board.contents();
  const plan = await board.command('adopt');
  assert.equal(plan.code, 1, plan.stderr);
  assert.match(plan.stdout, /begins a new epoch/);
  assert.match(plan.stderr, /--yes/);
  assert.equal(await board.contents(), before, 'asking changes nothing');
  const done = await board.command('adopt', '--yes');
  assert.equal(done.code, 0, done.stderr);
  await board.ready();
  return plan.stdout;
}

/** A board with users, actions with and without limits, an announcement and a revocation. */
export async function boardForTest(t, { settings, nodes = 2, env = {} } = {}) {
  const redis = await startRedis(settings);
  const ours = {
    PODIUM_ACTIONS__QUIZ__POINTS: '2',
    PODIUM_ACTIONS__QUIZ__PER_DAY: '50',
    // A revocation waits for so long.
    PODIUM_AUTH__LEEWAY: '0s',
  };
  const start = () => startPodium({ redis: redis.address(), env: { ...ours, ...env } });
  const board = new Board(redis, await Promise.all(Array.from({ length: nodes }, start)));
  board.start = start;
  t.after(() => board.end());
  const [node] = board.nodes;
  board.user = await newUser(node, 'Ada');
  board.other = await newUser(node, 'Bob');
  board.sent = [
    action({ userId: board.user, scoreIncrease: 5 }),
    action({ userId: board.other, scoreIncrease: 3 }),
    { actionId: randomUUID(), userId: board.user, actionType: 'quiz' },
  ];
  for (const body of board.sent) {
    const answer = await postActions(node, body);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
  }
  const said = await request(node.url, 'POST', '/api/v1/notifications', {
    token: admin(),
    body: { type: 'SYSTEM_ALERT', message: 'Hello' },
  });
  assert.ok(said.status < 300, JSON.stringify(said.body));
  const revoked = await request(node.url, 'POST', `/api/v1/users/${board.other}/revoke`, { token: admin() });
  assert.ok(revoked.status < 300, JSON.stringify(revoked.body));
  // Until all nodes show all, and all ranks are written.
  await eventually(async () => {
    const boards = await board.boards();
    if (boards.some((it) => it.seq !== boards[0].seq)) return 'the nodes do not agree';
    const ranked = await redis.command(['HGET', KEY('meta'), 'ranked_through']);
    const last = await redis.command(['HGET', KEY('meta'), 'seq']);
    return ranked === last ? undefined : `ranks are written through ${ranked} of ${last}`;
  });
  return board;
}

/** A `podium serve` that need not become ready. */
export function startUnready(redis, { port, env = {} }) {
  const child = spawn(PODIUM, ['serve'], {
    cwd: ROOT,
    env: { ...commandEnv(redis), LEPTOS_SITE_ADDR: `127.0.0.1:${port}`, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onExitOfTests(() => child.kill('SIGKILL'));
  const log = new Log(child.stderr);
  const ready = new Promise((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('Podium is ready')) resolve();
    });
  });
  const exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
  return { url: `http://127.0.0.1:${port}`, child, ready, exited, log };
}
