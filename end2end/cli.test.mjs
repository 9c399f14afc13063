// The command line, as somebody types it.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

import { leaderboard, publisherToken, putUser, request, startPodium } from './support/podium.mjs';
import { startRedis } from './support/redis.mjs';
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
function podium(args, env = {}, timeout = 30_000) {
  const clean = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(PODIUM_|LEPTOS_|JWT_|TICKET_)/.test(name)),
  );
  return new Promise((resolve) => {
    const options = { cwd: ROOT, env: { ...clean, JWT_SECRET: SECRET, ...env }, timeout };
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
    // What the log begins with holds from then on.
    const competition = { ...env, PODIUM_RANKING__TIES: 'competition' };
    const imported = await podium(['import', season], competition);
    assert.deepEqual(imported, {
      code: 0,
      out: '128 lines imported, 0 were on the board already\n',
      err: '',
    });
    const again = await podium(['import', season], env);
    assert.equal(again.out, '0 lines imported, 128 were on the board already\n');

    const server = await startPodium({ database });
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
    ['an unknown column', 'a.csv', `userId,colour\n${user},red\n`, /line 1: .*colour/],
    ['a user id that is none', 'b.csv', `${header}\nme,Ada,,,\n`, /line 2: .*not a UUID/],
    ['points that are no number', 'c.csv', `${header}\n${user},Ada,,,\n${user},,1,bug,many\n`, /line 3: .*many/],
    ['a line of no kind', 'd.csv', `${header}\n${user},,,,\n`, /line 2: .*fill the name, or the points/],
    ['a line with too many fields', 'e.csv', `${header}\n${user},Ada,,,,5\n`, /line 2: .*one more/],
    ['a file that was cut', 'h.csv', `${header}\n${user},Ada,,,\n${user},A`, /line 3: .*ends early/],
    ['a line that is not JSON', 'f.ndjson', `{"userId":"${user}","username":"Ada"}\n{"userId"\n`, /line 2/],
    ['a form that is not known', 'g.ods', 'x', /must end in \.csv.*\.xlsx/],
    ['a workbook that is none', 'g.xlsx', 'x', /no workbook that can be read/],
    ['a file without anything', 'i.csv', '', /nothing in it/],
    ['a first line without names', 'j.csv', 'Ada,10\nBob,20\n', /line 1: .*name,points/],
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
    assert.match(err, /nobody\.csv, line 2: no user with this id.*fill the name/);
    assert.match(err, /1 of 3 lines were refused/);
    assert.equal(out, '2 lines imported, 0 were on the board already\n');
  });

  describe('of files that people had', () => {
    const cases = {
      'RESULTS.CSV': { Ada: 0 },
      'blank-lines-then-bad.csv': /line 4: .*"nope" is not a UUID/,
      'capital-header.csv': { Ada: 0 },
      'crlf-third-line-bad.csv': /line 3: .*"nope" is not a UUID/,
      'empty-rows-at-end.csv': { Ada: 10 },
      'header-only.csv': /nothing in it but its first line/,
      'hex.csv': /line 2: .*scoreIncrease.*"0x10".*write 16/,
      'names-only.csv': { Ada: 15, Grace: 20 },
      'numbers-as-excel-writes-them.csv':
        /line 4: .*scoreIncrease.*"1,000".*write 1000\n.*line 5: .*"−5".*write -5/,
      'semicolons.csv': { Ada: 10, Grace: 20 },
      'sep-line.csv': { Ada: 0 },
      'tabs.csv': { Ada: 10 },
      'trailing-comma.csv': { Ada: 0 },
      'utf16le-bom.csv': { Zoë: 0 },
      'windows-1252.csv': /line 2: .*CSV UTF-8/,
      'workbook.xlsx': { Ada: 10, Grace: 20, 'Mary J.': 5, 'Zoë 👩‍🚀': 1000 },
    };
    for (const [name, expected] of Object.entries(cases)) {
      it(name, async (t) => {
        const { database, env } = fresh();
        const path = join(ROOT, 'tests/data/import', name);
        const args = name.endsWith('.xlsx') ? ['--ignore', 'notes'] : [];
        const { code, out, err } = await podium(['import', path, ...args], env);
        if (expected instanceof RegExp) {
          assert.equal(code, 1);
          assert.match(err, expected);
          assert.match(err, /nothing was imported/);
          assert.equal(out, '');
          assert.equal(existsSync(database), false);
          return;
        }
        assert.deepEqual([code, err], [0, '']);
        const server = await startPodium({ database });
        t.after(() => server.stop());
        assert.deepEqual(await scores(server.url), expected);
      });
    }
  });

  /** Names and scores; people of one name are numbered. */
  const scores = async (url) => {
    const { topScores } = await leaderboard(url, '?limit=1000');
    const rows = topScores.map(({ username, score }) => [username, score]);
    return Object.fromEntries(rows.sort(([a], [b]) => (a < b ? -1 : 1)));
  };

  // One for each store: `env` is the setting, and `serve` starts a server on it.
  const stores = {
    'a file': async () => {
      const { database, env } = fresh();
      return {
        env,
        serve: (t) => startServer(t, { database }),
        isUntouched: async () => !existsSync(database),
      };
    },
    Redis: async (t) => {
      const redis = await startRedis();
      t.after(() => redis.kill());
      return {
        env: { PODIUM_STORE__URL: redis.address() },
        serve: (t) => startServer(t, { redis: redis.address() }),
        isUntouched: async () => (await redis.command(['DBSIZE'])) === '0',
      };
    },
  };
  async function startServer(t, options) {
    const server = await startPodium(options);
    t.after(() => server.stop());
    return server;
  }

  for (const [kind, store] of Object.entries(stores)) {
    describe(`to ${kind}`, () => {
      it('previews who is new and known and what each line does, and changes nothing', async (t) => {
        const { env, isUntouched } = await store(t);
        const path = file('preview.csv', 'name,points\nAda,10\nGrace,20\n,\nAda,5\n');
        const first = await podium(['import', '--dry-run', path], env);
        assert.equal(
          first.out,
          [
            'line 2: Ada is new, result +10 makes 10',
            'line 3: Grace is new, result +20 makes 20',
            'line 5: Ada (again), result +5 makes 15',
            '3 lines: 2 new, 0 known; nothing was changed',
            '1 empty row was skipped',
            '1 line names somebody who stands on an earlier line: one name is one person. If these are several people, give them an externalId',
            '',
          ].join('\n'),
        );
        assert.deepEqual([first.code, first.err], [0, '']);
        assert.ok(await isUntouched());

        assert.equal((await podium(['import', path], env)).code, 0);
        const more = file('preview.csv', 'name,points\nAda,10\nGrace,20\n,\nAda,5\nEve,1\nAda,7\n');
        const second = await podium(['import', '--dry-run', more], env);
        assert.match(
          second.out,
          /^line 2: Ada is known, and this has been counted\nline 3: Grace is known, and this has been counted\nline 5: Ada \(again\), and this has been counted\nline 6: Eve is new, result \+1 makes 1\nline 7: Ada \(again\), result \+7 makes 22\n5 lines: 1 new, 2 known/,
        );
        const again = await podium(['import', '--dry-run', more], env);
        assert.equal(again.out, second.out);
      });

      it('counts a list once, and what was added to it since', async (t) => {
        const { env, serve } = await store(t);
        const list = (text) => file('Quiz.csv', text);
        const run = (path, ...args) => podium(['import', path, ...args], env);
        await run(list('name,points\nAda,10\nGrace,20\n'));
        const again = await run(list('name,points\nAda,10\nGrace,20\n'));
        assert.match(again.out, /^0 lines imported, 2 were on the board already\n.*"Quiz".*--list/);

        // Rows in another order, a new one, and one whose points were changed.
        const edited = await run(list('name,points\nEve,3\nGrace,20\nAda,12\n'));
        assert.equal(edited.code, 1);
        assert.match(edited.out, /^1 lines imported, 1 were/);
        assert.match(edited.err, /line 4: an earlier import .* for Ada.*--list/);
        const preview = await run(list('name,points\nAda,12\n'), '--dry-run');
        assert.equal(preview.code, 1);
        assert.match(preview.err, /line 2: .*\(result \+10 then\)/);

        // The same list saved in another form, and a list of another name.
        const tabs = file('QUIZ.TSV', 'Name\tPoints\nAda\t10\n');
        assert.match((await run(tabs)).out, /^0 lines imported, 1 were/);
        assert.match((await run(tabs, '--list', 'week 2')).out, /^1 lines imported, 0 were/);
        const { url } = await serve(t);
        assert.deepEqual(await scores(url), { Ada: 20, Eve: 3, Grace: 20 });
      });

      it('finds the people who are on the board by name and by externalId', async (t) => {
        const { env, serve } = await store(t);
        const server = await serve(t);
        const [ada, eve, other] = [randomUUID(), randomUUID(), randomUUID()];
        await putUser(server.url, ada, 'Ada', 'https://example.org/a.png');
        await putUser(server.url, eve, 'Eve');
        await putUser(server.url, other, 'Eve');
        const post = await request(server.url, 'POST', '/api/v1/users', {
          token: publisherToken(),
          body: { username: 'Grace', externalId: '7' },
        });
        assert.equal(post.status, 201);
        await server.stop();

        const names = await podium(['import', file('n.csv', 'name,points\n Ada ,5\nBob,1\n')], env);
        assert.deepEqual([names.code, names.err], [0, '']);
        const list = file('e.csv', 'External ID;Name;Points\n7;Grace H.;2\n8;Ada;3\n');
        const preview = await podium(['import', list, '--dry-run'], env);
        assert.match(preview.out, /^line 2: Grace H. is known, and will be shown so, result \+2 makes 2$/m);
        assert.match(preview.out, /^line 3: Ada is new, beside another of this name, result \+3 makes 3$/m);
        const ids = await podium(['import', list], env);
        assert.deepEqual([ids.code, ids.err], [0, '']);
        const eves = await podium(['import', file('v.csv', 'name,points\nEve,5\nBob,1\n')], env);
        assert.equal(eves.code, 1);
        assert.match(eves.err, /line 2: .*"Eve" is the name of 2 people.*externalId.*nothing was imported/);

        const { url } = await serve(t);
        const { topScores } = await leaderboard(url, '?limit=100');
        const rows = topScores.map(({ username, score }) => `${username} ${score}`).sort();
        assert.deepEqual(rows, ['Ada 3', 'Ada 5', 'Bob 1', 'Eve 0', 'Eve 0', 'Grace H. 2']);
        const known = await request(url, 'GET', `/api/v1/users/${ada}`);
        assert.deepEqual([known.body.score, known.body.avatar], [5, 'https://example.org/a.png']);
        assert.equal((await request(url, 'GET', `/api/v1/users/${post.body.userId}`)).body.score, 2);
      });

      it('goes on after it was killed in the middle, and counts nothing twice', async (t) => {
        const people = 300;
        const rows = Array.from({ length: ROWS }, (_, i) => `P${i % people},${i % 7}`);
        const path = file('many.csv', `name,points\n${rows.join('\n')}\n`);
        const expected = {};
        for (const row of rows) {
          const [name, points] = row.split(',');
          expected[name] = (expected[name] ?? 0) + Number(points);
        }
        // On a machine that stalls it may be over before it is killed: then once more, elsewhere.
        let used;
        do used = await store(t);
        while (!(await killedInTheMiddle(path, used.env)));
        const { env, serve } = used;
        let again;
        // Where all is busy the store may not answer in time, and this is what to do then.
        do again = await podium(['import', path], env, 100_000);
        while (/import the file again, nothing counts twice/.test(again.err));
        assert.equal(again.code, 0, again.err);
        const [, added, known] = /^(\d+) lines imported, (\d+) were/.exec(again.out).map(Number);
        assert.equal(added + known, rows.length);
        assert.ok(added > 0 && known > 0, again.out);
        const { url } = await serve(t);
        const sorted = Object.entries(expected).sort(([a], [b]) => (a < b ? -1 : 1));
        assert.deepEqual(await scores(url), Object.fromEntries(sorted));
      });
    });
  }

  // Enough that most of them are still to come when the first are written.
  const ROWS = 30_000;

  /**
   * Runs an import until it says that it has written something, and kills it; resolves to
   * whether it was not over by then.
   */
  function killedInTheMiddle(path, env) {
    const options = { cwd: ROOT, env: { ...process.env, JWT_SECRET: SECRET, ...env } };
    const child = spawn(BINARY, ['import', path], { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    child.stderr.on('data', (text) => {
      said += text;
      if (new RegExp(`^imported \\d+ of ${ROWS}`, 'm').test(said)) child.kill('SIGKILL');
    });
    return new Promise((resolve, reject) => {
      child.once('close', (code, signal) => {
        if (signal === 'SIGKILL' || code === 0) resolve(signal === 'SIGKILL');
        else reject(new Error(`it ended with ${code}: ${said}`));
      });
    });
  }

  it('tells all mistakes at once, of many the first and how many there are', async () => {
    const { env } = fresh();
    const rows = Array.from({ length: 500 }, (_, i) => `P${i},${i % 2 ? 'x' : i}`);
    const path = file('wrong.csv', `name,points\n${rows.join('\n')}\n`);
    for (const args of [[], ['--dry-run']]) {
      const { code, err } = await podium(['import', path, ...args], env);
      assert.equal(code, 1);
      assert.match(err, /has 250 mistakes; nothing was imported/);
      assert.match(err, /line 3: column "points": "x" is no whole number/);
      assert.match(err, /and 200 more/);
      assert.equal(err.trim().split('\n').length, 52);
    }
  });

  it('asks who is meant where a list of names has one twice', async () => {
    const { env } = fresh();
    const { code, err } = await podium(['import', file('class.csv', 'Name\nAda\nBob\nAda\n')], env);
    assert.equal(code, 1);
    assert.match(err, /line 4: .*"Ada" stands on line 2 already.*externalId/);
  });

  it('reads the sheet that is named, and tells what its cells should be', async () => {
    const { env } = fresh();
    const path = join(ROOT, 'tests/data/import/workbook.xlsx');
    const { code, err } = await podium(['import', path, '--sheet', 'round 2'], env);
    assert.equal(code, 1);
    assert.match(err, /line 3: column "points": .* is a date or a time: write a whole number/);
    assert.match(err, /line 4: column "points": "2\.5" is no whole number/);
    assert.match(err, /line 5: column "points": "#DIV\/0!" is an error of a formula/);
    assert.match(err, /line 6: column "name": "TRUE" is true or false/);
    assert.match(err, /has 4 mistakes/);
    const other = await podium(['import', path, '--sheet', 'Round 3'], env);
    assert.match(other.err, /no such sheet, but "Round 1", "Round 2"/);
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

describe('variables', () => {
  it('that look like a key are named, with the key that is meant', async () => {
    const env = { PODIUM_BOARD_TOP: '5', PODIUM_JWT_SECRET: 'x' };
    const { code, out, err } = await podium(['check-config'], env);
    assert.equal(code, 0, err);
    assert.match(out, /The configuration is good/);
    assert.match(err, /PODIUM_BOARD_TOP is not read: did you mean PODIUM_BOARD__TOP\?/);
    assert.match(err, /PODIUM_JWT_SECRET is not read: did you mean JWT_SECRET\?/);
  });

  it('are named at the start too', async () => {
    const { err } = await podium(['serve'], {
      PODIUM_BOARD_TOP: '5',
      PODIUM_STORE__URL: 'sqlite:/nowhere/podium.db',
    });
    assert.match(err, /PODIUM_BOARD_TOP is not read: did you mean PODIUM_BOARD__TOP\?/);
  });

  it('of no key stop the start, with the nearest one', async () => {
    const { code, err } = await podium(['check-config'], { PODIUM_BORD__TOP: '5' });
    assert.equal(code, 1);
    assert.match(err, /PODIUM_BORD__TOP: there is no key bord\.top; did you mean PODIUM_BOARD__TOP\?/);
  });

  for (const text of ['0123', 'true', '1e3', 'null', '1.50', '0x10', ' ']) {
    it(`keep the text ${JSON.stringify(text)}`, async () => {
      const env = { PODIUM_AUTH__AUDIENCE: text, PODIUM_AUTH__ISSUER: text, PODIUM_BOARD__TITLE: text };
      const { code, out, err } = await podium(['token', '--user', randomUUID()], env);
      assert.equal(code, 0, err);
      const claims = JSON.parse(Buffer.from(out.trim().split('.')[1], 'base64url'));
      assert.deepEqual([claims.aud, claims.iss], [text, text]);
    });
  }

  it('are numbers, truths and lists where a key is one', async () => {
    const env = {
      PODIUM_BOARD__TOP: '5',
      PODIUM_ACTIONS__ONLY_DECLARED: 'true',
      PODIUM_ACTIONS__QUIZ__POINTS: '10',
      PODIUM_ACTIONS__QUIZ__PER_DAY: '6',
      PODIUM_LIMITS__ALLOW: '10.0.0.0/8, 192.0.2.7',
      PODIUM_HTTP__FRONTEND_URLS: 'https://a.example,https://b.example',
    };
    const { code, err } = await podium(['check-config'], env);
    assert.equal(code, 0, err);
    for (const top of ['5.5', '1e1', '0x5', '']) {
      const refused = await podium(['check-config'], { PODIUM_BOARD__TOP: top });
      assert.equal(refused.code, 1, top);
      assert.match(refused.err, /board\.top/);
    }
  });
});

describe('the strength of a secret', () => {
  for (const secret of [
    'abcdefgh'.repeat(4),
    'changeme-changeme-changeme-changeme',
    '0123456789abcdef0123456789abcdef',
    'please-change-this-secret-before-use',
    'deadbeefdeadbeef',
    randomUUID(),
  ]) {
    it(`is too little in ${secret}`, async () => {
      const { code, err } = await podium(['check-config'], { JWT_SECRET: secret });
      assert.equal(code, 1);
      assert.match(err, /JWT_SECRET.*too weak.*openssl rand/);
    });
  }

  for (const secret of ['9f86d081884c7d659a2feaa0c55ad015', 'pQ7vK2mXz9LwRt4YbN8sGd', SECRET]) {
    it(`is enough in ${secret}`, async () => {
      const { code, err } = await podium(['check-config'], { JWT_SECRET: secret });
      assert.equal(code, 0, err);
    });
  }
});
