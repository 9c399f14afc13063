// The command line, as somebody types it.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

import { leaderboard, putUser, request, startPodium } from './support/podium.mjs';
import { connect, disconnectAll, nextEvent } from './support/socket.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const BINARY = process.env.PODIUM_BIN ?? join(ROOT, 'target/release/podium');
const SECRET = 'command-line-tests-9sKd72LmQpXvB4nHtYw0cZr3';

const folder = mkdtempSync(join(tmpdir(), 'podium-cli-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const file = (name, text) => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

/** Runs a command to its end; resolves to `{code, out, err}`. */
function podium(args, env = {}) {
  const clean = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(PODIUM_|LEPTOS_|JWT_|TICKET_)/.test(name)),
  );
  return new Promise((resolve) => {
    const options = { cwd: ROOT, env: { ...clean, JWT_SECRET: SECRET, ...env }, timeout: 30_000 };
    execFile(BINARY, args, options, (error, out, err) => {
      resolve({ code: error ? error.code : 0, out, err });
    });
  });
}

/** The setting for a store of its own. */
const fresh = () => {
  const database = join(folder, `${randomUUID()}.db`);
  return { database, env: { PODIUM_STORE__URL: `sqlite:${database}` } };
};

describe('podium token', () => {
  it('makes tokens that the server takes', async (t) => {
    const server = await startPodium({ env: { JWT_SECRET: SECRET } });
    t.after(() => server.stop());
    t.after(disconnectAll);
    const user = randomUUID();
    const publisher = await podium(['token', '--user', randomUUID(), '--role', 'publisher']);
    assert.equal(publisher.code, 0);
    const body = { username: 'Ada' };
    const put = await request(server.url, 'PUT', `/api/v1/users/${user}`, {
      token: publisher.out.trim(),
      body,
    });
    assert.equal(put.status, 201);
    const player = await podium(['token', '--user', user, '--ttl', '5m']);
    const socket = await connect(server.url, { token: player.out.trim() });
    socket.emit('subscribe_user_score', user);
    assert.equal((await nextEvent(socket, 'user_score_update')).userId, user);
  });

  it('refuses what is no user, role or time', async () => {
    assert.match((await podium(['token', '--user', 'me'])).err, /"me" is not a UUID/);
    for (const wrong of [['--role', 'owner'], ['--ttl', 'soon']]) {
      const { code } = await podium(['token', '--user', randomUUID(), ...wrong]);
      assert.notEqual(code, 0);
    }
  });
});

describe('a secret that is missing or weak', () => {
  for (const [name, secret] of [
    ['missing', ''],
    ['too short', 'secret'],
    ['one letter again and again', 'a'.repeat(64)],
  ]) {
    it(`stops the start when it is ${name}`, async () => {
      for (const command of [['serve'], ['check-config'], ['token', '--user', randomUUID()]]) {
        const { code, err } = await podium(command, { JWT_SECRET: secret, ...fresh().env });
        assert.equal(code, 1);
        assert.match(err, /JWT_SECRET.*openssl rand/);
      }
    });
  }

  it('is read from a file', async () => {
    const path = file('secret', `${SECRET}\n`);
    const env = { JWT_SECRET: undefined, JWT_SECRET_FILE: path };
    assert.equal((await podium(['check-config'], env)).code, 0);
  });
});

describe('podium check-config', () => {
  const cases = [
    ['an unknown key', { PODIUM_BOARD__TOPP: '5' }, /topp/],
    ['a value of the wrong form', { PODIUM_BOARD__TOP: 'many' }, /board\.top/],
    ['a value that makes no sense', { PODIUM_BOARD__TOP: '5000' }, /board\.top.*1000/],
    ['a network that is none', { PODIUM_LIMITS__ALLOW: '10.0.0.0/99' }, /limits\.allow|netmask|address/i],
    ['a proxy that is none', { PODIUM_LIMITS__TRUSTED_PROXIES: 'proxy.example' }, /proxy\.example.*address/],
    ['trust in everybody', { PODIUM_LIMITS__TRUSTED_PROXIES: '10.0.0.1,::/0' }, /limits\.trusted_proxies/],
    ['a banner that nobody could read', { PODIUM_ACHIEVEMENTS__DURATION: '10ms' }, /achievements\.duration/],
    ['an origin that is none', { FRONTEND_URLS: 'example.org' }, /FRONTEND_URLS.*https/],
    ['a source of pictures that is no origin', { PODIUM_HTTP__AVATAR_ORIGINS: 'https://a.example/x' }, /http\.avatar_origins.*https/],
    ['a source of pictures that would open more', { PODIUM_HTTP__AVATAR_ORIGINS: '*' }, /http\.avatar_origins/],
    [
      'a page with frames that would change the policy',
      { PODIUM_HTTP__EMBED_ORIGINS: "https://a.example; script-src 'unsafe-inline'" },
      /http\.embed_origins/,
    ],
    ['a public address that is none', { PODIUM_HTTP__PUBLIC_URL: 'https://a.example/board' }, /http\.public_url.*https/],
    ['an address that is none', { LEPTOS_SITE_ADDR: 'here' }, /LEPTOS_/],
    ['a weak key of tickets', { TICKET_SECRET: 'secret' }, /TICKET_SECRET.*openssl rand/],
    ['tickets that are never valid', { PODIUM_AUTH__TICKET_MAX_TTL: '0s' }, /auth\.ticket_max_ttl/],
    ['a type without points', { PODIUM_ACTIONS__QUIZ__PER_DAY: '5' }, /actions\.quiz\.points/],
    [
      'points that are no score',
      { PODIUM_ACTIONS__QUIZ__POINTS: '9007199254740992' },
      /9007199254740991.*actions\.quiz\.points/,
    ],
    [
      'a limit of nothing',
      { PODIUM_ACTIONS__QUIZ__POINTS: '5', PODIUM_ACTIONS__QUIZ__PER_MINUTE: '0' },
      /actions\.quiz\.per_minute/,
    ],
    [
      'a limit that is too high',
      { PODIUM_ACTIONS__QUIZ__POINTS: '5', PODIUM_ACTIONS__QUIZ__PER_DAY: '10001' },
      /quiz\.per_day.*1 to 10000/,
    ],
    [
      'a limit that it does not know',
      { PODIUM_ACTIONS__QUIZ__POINTS: '5', PODIUM_ACTIONS__QUIZ__PER_HOUR: '5' },
      /per_hour.*actions\.quiz/,
    ],
    ['a key that is no type', { PODIUM_ACTIONS__ONLY_DECLRAED: 'true' }, /actions\.only_declraed/],
    [
      'a type that could never be sent',
      { [`PODIUM_ACTIONS__${'X'.repeat(65)}__POINTS`]: '5' },
      /actions.*1 to 64 characters/,
    ],
  ];
  for (const [name, env, message] of cases) {
    it(`names ${name}`, async () => {
      const { code, err } = await podium(['check-config'], env);
      assert.equal(code, 1);
      assert.match(err, message);
    });
  }

  it('is content with the file in the repository and with good variables', async () => {
    const env = {
      PODIUM_BOARD__TOP: '25',
      PODIUM_LIMITS__ALLOW: '127.0.0.0/8,10.0.0.0/8',
      PODIUM_LIMITS__TRUSTED_PROXIES: '127.0.0.1,fd00::/8',
      PODIUM_SHUTDOWN__NOTICE: '5s',
      PODIUM_ACTIONS__ONLY_DECLARED: 'true',
      PODIUM_ACTIONS__QUIZ_SOLVED__POINTS: '10',
      PODIUM_ACTIONS__QUIZ_SOLVED__PER_MINUTE: '6',
      FRONTEND_URLS: 'https://a.example,https://b.example:8443',
      PODIUM_HTTP__AVATAR_ORIGINS: 'https://a.example, https://b.example:8443',
      PODIUM_HTTP__EMBED_ORIGINS: 'https://school.example',
      PODIUM_HTTP__PUBLIC_URL: 'https://board.example/',
    };
    assert.deepEqual(await podium(['check-config'], env), {
      code: 0,
      out: 'The configuration is good.\n',
      err: '',
    });
  });

  it('says when a named file is missing', async () => {
    const { code, err } = await podium(['check-config', '--config', '/nowhere/Leptos.toml']);
    assert.equal(code, 1);
    assert.match(err, /cannot read \/nowhere\/Leptos\.toml/);
  });
});

describe('podium serve', () => {
  it('says what to do when the address is taken', async (t) => {
    const server = await startPodium();
    t.after(() => server.stop());
    const { host } = new URL(server.url);
    const { code, err } = await podium(['serve'], { ...fresh().env, LEPTOS_SITE_ADDR: host });
    assert.equal(code, 1);
    assert.match(err, /cannot listen on .*LEPTOS_SITE_ADDR/);
  });

  it('has a demo with players, who never stand still', async (t) => {
    const server = await startPodium({ args: ['--demo'], env: { JWT_SECRET: '' } });
    t.after(() => server.stop());
    // Players are registered right after the server has begun to listen.
    let board;
    do board = await leaderboardOf(server.url);
    while (board.totalUsers < 40);
    const before = board.seq;
    do board = await leaderboardOf(server.url);
    while (board.seq <= before);
    assert.ok(board.topScores[0].score > 0);
  });
});

const leaderboardOf = async (url) => (await request(url, 'GET', '/api/v1/leaderboard')).body;

describe('podium import', () => {
  const table = () => {
    const [header, ...lines] = readFileSync(join(ROOT, 'examples/world-cup-2022/table.csv'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => line.split(','));
    return lines.map((line) => Object.fromEntries(line.map((value, i) => [header[i], value])));
  };

  it('brings a tournament to its published final table', async (t) => {
    const { database, env } = fresh();
    const season = 'examples/world-cup-2022/group-stage.csv';
    const imported = await podium(['import', season], env);
    assert.deepEqual(imported, {
      code: 0,
      out: '128 lines imported, 0 were on the board already\n',
      err: '',
    });
    const again = await podium(['import', season], env);
    assert.equal(again.out, '0 lines imported, 128 were on the board already\n');

    const server = await startPodium({ database, env: { PODIUM_RANKING__TIES: 'competition' } });
    t.after(() => server.stop());
    const { topScores, totalUsers } = await leaderboard(server.url, '?limit=100');
    assert.equal(totalUsers, 32);
    const points = Object.fromEntries(table().map(({ team, points }) => [team, Number(points)]));
    assert.equal(Object.keys(points).length, 32);
    assert.deepEqual(
      Object.fromEntries(topScores.map(({ username, score }) => [username, score])),
      points,
    );
    for (const { username, score, rank } of topScores) {
      const better = Object.values(points).filter((other) => other > score).length;
      assert.equal(rank, better + 1, username);
    }
  });

  it('reads NDJSON with the same keys', async (t) => {
    const [ada, grace] = [randomUUID(), randomUUID()];
    const { database, env } = fresh();
    const lines = [
      { userId: ada, username: 'Ada' },
      { userId: grace, username: 'Grace, "Amazing"', avatar: 'https://example.org/g.png' },
      { actionId: '1', userId: grace, actionType: 'bug', scoreIncrease: 5 },
      { actionId: '2', userId: ada, actionType: 'bug', scoreIncrease: -2 },
    ];
    const path = file('board.ndjson', lines.map((line) => JSON.stringify(line)).join('\n\n'));
    assert.equal((await podium(['import', path], env)).code, 0);
    const server = await startPodium({ database });
    t.after(() => server.stop());
    const { topScores } = await leaderboard(server.url);
    assert.deepEqual(topScores.map(({ username, score }) => [username, score]), [
      ['Grace, "Amazing"', 5],
      ['Ada', -2],
    ]);
  });

  const user = '0d9f5c3e-8f5a-4f0e-9d57-0f2f3a1f6b11';
  const header = 'userId,username,actionId,actionType,scoreIncrease';
  const mistakes = [
    ['an unknown column', 'a.csv', `userId,name\n${user},Ada\n`, /line 2: .*name/],
    ['a user id that is none', 'b.csv', `${header}\nme,Ada,,,\n`, /line 2: .*not a UUID/],
    ['points that are no number', 'c.csv', `${header}\n${user},Ada,,,\n${user},,1,bug,many\n`, /line 3/],
    ['a line of two kinds', 'd.csv', `${header}\n${user},Ada,1,bug,5\n`, /line 2: .*user or an action/],
    ['a line with too few fields', 'e.csv', `${header}\n${user},Ada\n`, /line 2/],
    ['a line that is not JSON', 'f.ndjson', `{"userId":"${user}","username":"Ada"}\n{"userId"\n`, /line 2/],
    ['a form that is not known', 'g.xlsx', 'x', /must end in \.csv/],
  ];
  for (const [name, path, text, message] of mistakes) {
    it(`names ${name}, and writes nothing`, async () => {
      const { env } = fresh();
      const { code, out, err } = await podium(['import', file(path, text)], env);
      assert.equal(code, 1);
      assert.match(err, message);
      assert.equal(out, '');
      const good = file('good.csv', `${header}\n${user},Ada,,,\n`);
      const { out: first } = await podium(['import', good], env);
      assert.equal(first, '1 lines imported, 0 were on the board already\n');
    });
  }

  it('reports actions of nobody and goes on with the others', async () => {
    const { env } = fresh();
    const text = `${header}\n${randomUUID()},,1,bug,5\n${user},Ada,,,\n${user},,2,bug,5\n`;
    const { code, out, err } = await podium(['import', file('nobody.csv', text)], env);
    assert.equal(code, 1);
    assert.match(err, /nobody\.csv, line 2: no user with this id/);
    assert.match(err, /1 of 3 lines were refused/);
    assert.equal(out, '2 lines imported, 0 were on the board already\n');
  });

  it('does not touch a board that is being served', async (t) => {
    const server = await startPodium();
    t.after(() => server.stop());
    await putUser(server.url, user, 'Ada');
    const env = { PODIUM_STORE__URL: `sqlite:${server.database}` };
    const good = file('served.csv', `${header}\n${user},Eve,,,\n`);
    const { code, err } = await podium(['import', good], env);
    assert.equal(code, 1);
    assert.match(err, /in use by another Podium/);
  });
});
