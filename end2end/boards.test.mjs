// Many boards on one log, over HTTP and by the official client: what they are, who may see
// them, what follows from what, and what is refused.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { describe, it } from 'node:test';

import { expectProblem, expectRefusal } from './support/expect.mjs';
import {
  act,
  commandEnv,
  newUser,
  PODIUM,
  publisherToken,
  putUser,
  request,
  ROOT,
  token,
} from './support/podium.mjs';
import { actOn, atTime, LASTING, put } from './support/several.mjs';
import { ask, connect, nextEvent, received, roundTrip } from './support/socket.mjs';
import { podiumForSuite, podiumForTest } from './support/suite.mjs';

const admin = () => token({ user: randomUUID(), role: 'admin', claims: LASTING });
const viewer = () => token({ user: randomUUID(), role: 'viewer', claims: LASTING });

const api = (podium, method, path, options) =>
  request(podium.url, method, `/api/v1/${path}`, options);
const get = (podium, path, as) => api(podium, 'GET', path, { token: as });

async function ok(promise, status = 200) {
  const answer = await promise;
  assert.equal(answer.status, status, JSON.stringify(answer.body));
  return answer.body;
}

async function refused(promise, status, pattern) {
  const answer = await promise;
  expectProblem(answer, status);
  if (pattern) assert.match(answer.body.detail, pattern);
}

/** A page of the server, as a browser asks for it. */
function page(podium, path, cookie) {
  const headers = { accept: 'text/html', ...(cookie ? { cookie } : {}) };
  return fetch(new URL(path, podium.url), { headers, redirect: 'manual' });
}

const signedIn = (user) => `podium_token=${token({ user, claims: LASTING })}`;

describe('a board for people who have signed in', () => {
  for (const id of ['main', 'secret']) {
    describe(id, () => {
      const podium = podiumForSuite();
      const user = randomUUID();
      const plain = id === 'main';
      const paths = [
        'leaderboard',
        `leaderboard/around/${user}`,
        `users/${user}`,
        `users/${user}/history`,
        'users?q=ada',
      ];
      const routes = () => [
        ...(plain ? paths : []),
        ...[...paths, 'seasons'].map((path) => `boards/${id}/${path}`),
        `boards/${id}`,
      ];
      const root = plain ? '' : `/b/${id}`;
      const pages = [`${root}/`, `${root}/?q=ada`, `${root}/?page=1`, `${root}/players/${user}`];
      const data = [`${root}/page/rows`, `${root}/page/token`, `${root}/share.png`];

      it('is hidden from those who have not', async () => {
        await putUser(podium.url, user, 'Ada Lovelace');
        await put(podium, `boards/${id}`, { title: 'Top secret', everyone: true });
        await actOn(podium, id, { userId: user, scoreIncrease: 5 });
        for (const path of routes()) await ok(get(podium, path));
        for (const path of [...pages, ...data]) {
          assert.equal((await page(podium, path)).status, 200, path);
        }

        const settings = { title: 'Top secret', everyone: true, visibility: 'private' };
        await put(podium, `boards/${id}`, settings);
        for (const path of routes()) {
          await refused(get(podium, path), 404, new RegExp(`no board "${id}"`));
          await refused(get(podium, path, viewer()), 404);
          await refused(get(podium, path, 'garbage'), 401);
          await refused(get(podium, path, token({ user: randomUUID(), role: 'player' })), 404);
          for (const role of ['player', 'publisher', 'admin']) {
            await ok(get(podium, path, token({ user, role })));
          }
        }
        for (const path of [...pages, ...data]) {
          const answer = await page(podium, path);
          assert.equal(answer.status, 404, path);
          const text = await answer.text();
          for (const word of ['Ada', 'Top secret']) assert.ok(!text.includes(word), path);
          assert.match(text, /sign-in link/, path);
          assert.equal((await page(podium, path, signedIn(user))).status, 200, path);
        }
        // Nor does anything else bear its name.
        for (const path of ['/boards', '/b/nothing', '/manifest.webmanifest', '/nowhere']) {
          const text = await (await page(podium, path)).text();
          assert.ok(!text.includes('Top secret'), path);
        }
        assert.ok(!JSON.stringify(await ok(get(podium, 'boards'))).includes('Top secret'));
        const list = await (await page(podium, '/boards')).text();
        assert.equal(/There is no board that everybody may see/.test(list), plain);
      });
    });
  }

  it('needs no token while it is for all, not even a valid one', async (t) => {
    const podium = await podiumForTest(t);
    for (const as of [undefined, viewer(), 'garbage']) {
      await ok(get(podium, 'leaderboard', as));
      await ok(get(podium, 'users?q=a', as));
    }
  });
});

describe('pages of boards that are not there', () => {
  const podium = podiumForSuite();

  it('name the board', async () => {
    const answer = await page(podium, '/b/no-such-board');
    assert.equal(answer.status, 404);
    const text = await answer.text();
    assert.match(text, /There is no board .{0,3}no-such-board/);
    assert.match(text, /href="\/boards"/);
    // What is no id of a board is not repeated.
    const odd = await page(podium, `/b/${encodeURIComponent('Call 555 <b>')}`);
    assert.equal(odd.status, 404);
    assert.ok(!(await odd.text()).includes('555'));
  });

  it('turn on in a kiosk', async () => {
    await put(podium, 'boards/here', {});
    await put(podium, 'boards/secret', { visibility: 'private' });
    const rest = 'view=kiosk&boards=main,gone,secret,here&every=7';
    const next = async (path, cookie) => {
      const answer = await page(podium, path, cookie);
      if (answer.status === 303) return answer.headers.get('location');
      assert.equal(answer.status, 200);
      return /data-next="([^"]*)"/.exec(await answer.text())[1].replaceAll('&amp;', '&');
    };
    assert.equal(await next(`/?${rest}`), `/b/here?${rest}`);
    assert.equal(await next(`/b/gone?${rest}`), `/b/here?${rest}`);
    assert.equal(await next(`/b/secret?${rest}`), `/b/here?${rest}`);
    assert.equal(await next(`/b/here?${rest}`), `/?${rest}`);
    const user = await newUser(podium);
    assert.equal(await next(`/?${rest}`, signedIn(user)), `/b/secret?${rest}`);
    // Where nothing is there to turn to, it asks again.
    const none = await page(podium, '/b/gone?kiosk&boards=gone,lost');
    assert.equal(none.status, 404);
    const again = 'url=/b/gone?view=kiosk&amp;boards=gone,lost&amp;every=20"';
    assert.ok((await none.text()).includes(`http-equiv="refresh" content="20;${again}`));
  });
});

describe('people', () => {
  const podium = podiumForSuite();

  it('are not registered for a team that is not there', async () => {
    const id = randomUUID();
    const body = { username: 'Ada', team: randomUUID() };
    const put = (id, body) => api(podium, 'PUT', `users/${id}`, { token: publisherToken(), body });
    await refused(put(id, body), 404, /no team/);
    await refused(get(podium, `users/${id}`), 404);
    await ok(put(id, { username: 'Ada' }), 201);
    await refused(put(id, { ...body, username: 'Grace' }), 404, /no team/);
    assert.equal((await ok(get(podium, `users/${id}`))).username, 'Ada');
  });

  it('are registered with a team and groups, and without an id', async () => {
    const team = randomUUID();
    await put(podium, `teams/${team}`, { name: 'Reds' });
    await put(podium, 'boards/teams', { of: 'main', by: 'team' });
    await put(podium, 'boards/young', { of: 'main', group: 'U18' });
    const post = (body) => api(podium, 'POST', 'users', { token: publisherToken(), body });
    const body = { username: 'Alan', externalId: '7', team, groups: ['U18'] };
    const { userId } = await ok(post(body), 201);
    await act(podium.url, { userId, scoreIncrease: 3 });
    for (const [board, id] of [['teams', team], ['young', userId]]) {
      const { topScores } = await ok(get(podium, `boards/${board}/leaderboard`));
      assert.deepEqual(topScores.map((row) => [row.userId, row.score]), [[id, 3]]);
    }
    await refused(post({ username: 'Lost', externalId: '8', team: randomUUID() }), 404, /no team/);
    assert.deepEqual((await ok(get(podium, 'users?q=lost'))).users, []);
    await refused(post({ username: 'Lost', team: 'x' }), 400);
    await refused(post({ username: 'Lost', groups: [''] }), 422, /groups/);
    // What is left out stays.
    await ok(post({ username: 'Alan', externalId: '7' }));
    await act(podium.url, { userId, scoreIncrease: 1 });
    const { topScores } = await ok(get(podium, 'boards/teams/leaderboard'));
    assert.equal(topScores[0].score, 4);
  });
});

describe('paths', () => {
  const podium = podiumForSuite();

  for (const path of [
    'boards/main/seasons/x/leaderboard',
    'boards/main/seasons/-1/leaderboard',
    'boards/main/seasons/4294967296/leaderboard',
    'boards/%ff',
    'boards/%ff/leaderboard',
    'teams/%ff',
    'users/%ff',
    'users/x',
    'leaderboard/around/%ff',
  ]) {
    it(`with a part that cannot be read is a problem: ${path}`, async () => {
      expectProblem(await get(podium, path), 400);
    });
  }
});

/** A server with a daily board of three seasons, of which two have ended: 30 people, nobody. */
async function withSeasons(t) {
  const before = await podiumForTest(t, atTime('2026-10-25 12:00:00'));
  const daily = { title: 'Day by day', of: 'main', period: { every: 'day', zone: 'Europe/Berlin' } };
  await put(before, 'boards/daily', daily);
  const ids = [];
  for (let i = 0; i < 30; i += 1) {
    const id = randomUUID();
    ids.push(id);
    await put(before, `users/${id}`, { username: `Player ${i + 1}` });
    await actOn(before, 'main', { userId: id, scoreIncrease: 100 - i });
  }
  await before.stop();
  const podium = await podiumForTest(t, atTime('2026-10-27 12:00:00', before.database));
  // The first action ends what has ended.
  await actOn(podium, 'main', { userId: ids[0], scoreIncrease: 1 });
  return { podium, ids };
}

describe('lists of boards and of seasons', () => {
  it('have a tag, by which who has them is told so', async (t) => {
    const { podium, ids } = await withSeasons(t);
    const ask = async (path, tag, as) => {
      const headers = { ...(tag && { 'if-none-match': tag }), ...(as && { authorization: `Bearer ${as}` }) };
      const answer = await fetch(new URL(`/api/v1/${path}`, podium.url), { headers });
      return [answer.status, answer.headers.get('etag'), await answer.text()];
    };
    for (const path of ['boards', 'boards/daily/seasons']) {
      const [status, tag, text] = await ask(path);
      assert.equal(status, 200);
      assert.ok(text.length > 2, path);
      assert.deepEqual(await ask(path, tag), [304, tag, '']);
      assert.deepEqual(await ask(path), [200, tag, text]);
      // Each change is in the next answer, one of a few at a time.
      await actOn(podium, 'main', { userId: ids[1], scoreIncrease: 1 });
      const isOther = (await ask(path, tag))[0] === 200;
      assert.equal(isOther, path === 'boards', path);
    }
    await put(podium, 'boards/secret', { visibility: 'private' });
    const listed = async (as) => JSON.parse((await ask('boards', undefined, as))[2]).length;
    assert.deepEqual([await listed(), await listed(admin())], [2, 3]);
    const before = (await ask('boards'))[1];
    const other = await ask('boards', before, admin());
    assert.equal(other[0], 200, 'for another viewer it is another list');
  });
});

describe('pages of many boards', () => {
  it('have 50 of them each', async (t) => {
    const podium = await podiumForTest(t);
    const user = randomUUID();
    await put(podium, `users/${user}`, { username: 'Ada' });
    const ids = Array.from({ length: 60 }, (_, i) => `b-${String(i).padStart(2, '0')}`);
    await Promise.all(ids.map((id) => put(podium, `boards/${id}`, { of: 'main' })));
    await actOn(podium, 'main', { userId: user, scoreIncrease: 5 });
    const boardsOn = async (path, rest = '') => {
      const answer = await page(podium, path);
      assert.equal(answer.status, 200, path);
      const html = await answer.text();
      return [[...html.matchAll(new RegExp(`href="/b/(b-\\d+)${rest}"`, 'g'))].map(([, id]) => id), html];
    };
    for (const [path, rest] of [
      ['/boards', ''],
      [`/players/${user}`, `/players/${user}`],
      [`/b/b-07/players/${user}`, `/players/${user}`],
    ]) {
      // `main` is the first of all.
      const [first, html] = await boardsOn(path, rest);
      assert.deepEqual(first.slice(-49), ids.slice(0, 49), path);
      assert.ok(html.includes(`href="${path}?page=2"`), path);
      const [second, last] = await boardsOn(`${path}?page=2`, rest);
      assert.deepEqual(second.slice(-11), ids.slice(49), path);
      assert.ok(last.includes(`href="${path}?page=1"`) && !last.includes('page=3'), path);
      for (const query of ['?page=3', '?page=0', '?page=x']) {
        assert.equal((await page(podium, path + query)).status, 404, path + query);
      }
    }
    // What is seen is as it is now, by everybody as they may.
    await put(podium, 'boards/b-00', { of: 'main', visibility: 'private' });
    assert.ok(!(await boardsOn('/boards'))[0].includes('b-00'));
    const inside = await page(podium, '/boards', signedIn(user));
    assert.match(await inside.text(), /href="\/b\/b-00"/);
    await actOn(podium, 'main', { userId: user, scoreIncrease: 2 });
    assert.match((await boardsOn('/boards'))[1], />7</);
  });
});

describe('final standings', () => {
  it('are read as boards are', async (t) => {
    const { podium, ids } = await withSeasons(t);
    const path = 'boards/daily/seasons/1/leaderboard';
    const ranks = async (query) => {
      const { topScores, totalUsers } = await ok(get(podium, path + query));
      return [topScores.map(({ rank }) => rank), totalUsers];
    };
    const from = (first, count) => Array.from({ length: count }, (_, i) => first + i);
    assert.deepEqual(await ranks(''), [from(1, 10), 30]);
    assert.deepEqual(await ranks('?limit=1000'), [from(1, 30), 30]);
    assert.deepEqual(await ranks('?limit=7&offset=20'), [from(21, 7), 30]);
    assert.deepEqual(await ranks('?limit=7&offset=28'), [from(29, 2), 30]);
    assert.deepEqual(await ranks('?offset=30'), [[], 30]);
    for (const query of ['?limit=0', '?limit=1001', '?limit=x', '?offset=-1']) {
      await refused(get(podium, path + query), 400);
    }
    // All that are shown are counted, and nobody leaves a gap.
    const standing = (hidden) =>
      api(podium, 'PUT', `users/${ids[3]}/standing`, { token: admin(), body: { hidden } });
    await ok(standing(true), 204);
    assert.deepEqual(await ranks('?limit=1000'), [from(1, 29), 29]);
    await ok(standing(false), 204);
    assert.deepEqual(await ranks('?limit=1000'), [from(1, 30), 30]);
    // Nor do several, one of them deleted, on any page, before or after a restart.
    for (const i of [0, 11, 12]) {
      const body = { hidden: true };
      await ok(api(podium, 'PUT', `users/${ids[i]}/standing`, { token: admin(), body }), 204);
    }
    await ok(api(podium, 'DELETE', `users/${ids[20]}`, { token: admin() }), 204);
    const left = ids.filter((_, i) => ![0, 11, 12, 20].includes(i));
    await podium.stop();
    const again = await podiumForTest(t, atTime('2026-10-27 13:00:00', podium.database));
    const pages = [];
    for (let offset = 0; offset < 30; offset += 7) {
      const read = await ok(get(again, `${path}?limit=7&offset=${offset}`));
      assert.equal(read.totalUsers, 26);
      pages.push(...read.topScores);
    }
    assert.deepEqual(pages.map(({ userId }) => userId), left);
    assert.deepEqual(pages.map(({ rank }) => rank), from(1, 26));
    const file = await ok(get(again, 'boards/daily/seasons/1/export?format=json'));
    assert.deepEqual(file.topScores, pages);
    const ctftime = await ok(get(again, 'boards/daily/seasons/1/export?format=ctftime&offset=20'));
    assert.deepEqual(ctftime.standings.map(({ pos }) => pos), from(21, 6));
    const { topScores, totalUsers } = await ok(get(again, 'boards/daily/seasons/2/leaderboard'));
    assert.deepEqual([topScores, totalUsers], [[], 0]);
  });
});

describe('final standings, shown', () => {
  it('have a page that needs no script, and leads to the others', async (t) => {
    const { podium, ids } = await withSeasons(t);
    const shown = async (path) => {
      const answer = await page(podium, path);
      assert.equal(answer.status, 200, path);
      return answer.text();
    };
    assert.match(await shown('/b/daily'), /<a href="\/b\/daily\/seasons\/2">Previous season/);
    const first = await shown('/b/daily/seasons/1');
    assert.match(first, /<h1 class="found">.*2026-10-25.*Final standings/);
    assert.match(first, /30 players/);
    assert.match(first, /href="\/b\/daily\/seasons\/2"/);
    assert.match(first, new RegExp(`href="/b/daily/players/${ids[0]}"`));
    assert.match(first, /href="\/api\/v1\/boards\/daily\/seasons\/1\/export\?format=csv"/);
    const empty = await shown('/b/daily/seasons/2');
    assert.match(empty, /Nobody had a result/);
    assert.doesNotMatch(empty, /export/);
    const { topScores } = await ok(get(podium, 'boards/daily/seasons/1/leaderboard?limit=1000'));
    const names = topScores.map(({ username }) => username);
    const order = names.map((name) => first.indexOf(`>${name}<`));
    assert.ok(order.every((at, i) => at > (order[i - 1] ?? 0)), order);
    for (const path of ['3', '0', 'x', '-1', '1?page=2', '1?page=0', '99999999999']) {
      assert.equal((await page(podium, `/b/daily/seasons/${path}`)).status, 404, path);
    }
    assert.equal((await page(podium, '/b/gone/seasons/1')).status, 404);

    // Who is hidden or renamed is so at once, also in what was rendered before.
    const standing = { token: admin(), body: { hidden: true } };
    await ok(api(podium, 'PUT', `users/${ids[1]}/standing`, standing), 204);
    await put(podium, `users/${ids[2]}`, { username: 'Somebody else' });
    const now = await shown('/b/daily/seasons/1');
    assert.match(now, /29 players/);
    assert.ok(!now.includes('>Player 2<') && !now.includes('>Player 3<'));
    assert.ok(now.includes('>Somebody else<'));

    const settings = await ok(get(podium, 'boards/daily'));
    await put(podium, 'boards/daily', { ...settings, visibility: 'private' });
    assert.equal((await page(podium, '/b/daily/seasons/1')).status, 404);
    const inside = await page(podium, '/b/daily/seasons/1', signedIn(ids[0]));
    assert.equal(inside.status, 200);
    assert.doesNotMatch(await inside.text(), /export/);
    await refused(get(podium, 'boards/daily/seasons/1/export'), 404);
    await ok(get(podium, 'boards/daily/seasons/1/export', admin()));
  });

  it('are files, as boards are', async (t) => {
    const { podium } = await withSeasons(t);
    const rows = async (path) => (await ok(get(podium, path))).split('\r\n').slice(1, -1);
    const csv = await page(podium, '/api/v1/boards/daily/seasons/1/export?format=csv');
    const disposition = csv.headers.get('content-disposition');
    assert.equal(disposition, 'attachment; filename="daily-2026-10-25.csv"');
    assert.equal(csv.headers.get('content-type'), 'text/csv; charset=utf-8');
    const path = 'boards/daily/seasons/1/leaderboard?limit=1000';
    const { topScores, ...about } = await ok(get(podium, path));
    const lines = topScores.map(({ rank, userId, username, score }) =>
      [rank, userId, username, score].join(','),
    );
    assert.deepEqual(await rows('boards/daily/seasons/1/export'), lines);
    const json = await ok(get(podium, 'boards/daily/seasons/1/export?format=json'));
    assert.deepEqual(json, { ...about, topScores });
    await refused(get(podium, 'boards/daily/seasons/3/export'), 404);
  });
});

describe('a board as a file', () => {
  const podium = podiumForSuite();
  const path = 'boards/odd/export';

  it('has all rows in each format', async () => {
    await put(podium, 'boards/odd', { operator: 'latest', tiebreak: { direction: 'lowest' } });
    const names = ['=HYPERLINK("http://x","y")', '+49 30 1', '-Max-', '@all', "'=x", 'Ada, "the"; x'];
    const ids = [];
    for (const [i, username] of names.entries()) {
      const id = randomUUID();
      ids.push(id);
      await put(podium, `users/${id}`, { username });
      const parts = { userId: id, scoreIncrease: -5 - i, tiebreakIncrease: i };
      await actOn(podium, 'odd', parts);
    }
    // Numbers are bare, and no name is a formula.
    const written = [
      '"\'=HYPERLINK(""http://x"",""y"")"',
      "'+49 30 1",
      "'-Max-",
      "'@all",
      "''=x",
      '"Ada, ""the""; x"',
    ];
    const line = (i) => `${i + 1},${ids[i]},${written[i]},${-5 - i},${i}\r\n`;
    const header = 'rank,userId,username,score,tiebreak\r\n';
    const csv = header + names.map((_, i) => line(i)).join('');
    assert.equal(await ok(get(podium, path)), `\ufeff${csv}`);
    assert.equal(await ok(get(podium, `${path}?limit=1&offset=2`)), `\ufeff${header}${line(2)}`);
    const board = await ok(get(podium, 'boards/odd/leaderboard?limit=1000'));
    assert.deepEqual(await ok(get(podium, `${path}?format=json`)), board);
    const lines = (await ok(get(podium, `${path}?format=ndjson`))).trimEnd().split('\n');
    assert.deepEqual(lines.map((text) => JSON.parse(text)), board.topScores);
    const ctftime = await ok(get(podium, `${path}?format=ctftime`));
    const standings = names.map((team, i) => {
      return { pos: i + 1, team, score: -5 - i, tiebreak: i };
    });
    assert.deepEqual(ctftime, { standings });
    const rest = await ok(get(podium, `${path}?format=ctftime&offset=4`));
    assert.deepEqual(rest, { standings: standings.slice(4) });
    for (const query of ['format=xls', 'limit=0', 'limit=100001', 'offset=x']) {
      await refused(get(podium, `${path}?${query}`), 400);
    }
    await refused(get(podium, 'boards/gone/export'), 404, /gone/);
    assert.match(await ok(get(podium, 'boards/main/export')), /^\ufeffrank,userId,username,score\r\n/);
  });
});

describe('a socket', () => {
  it('watches 16 boards and no more', async (t) => {
    const podium = await podiumForTest(t);
    const boards = Array.from({ length: 17 }, (_, i) => `board-${i + 1}`);
    for (const board of boards) await put(podium, `boards/${board}`, {});
    const user = await newUser(podium);
    const socket = await connect(podium.url, { token: viewer() });
    const watch = (board) => ask(socket, 'subscribe_scoreboard', { board });
    const leave = (board) => ask(socket, 'unsubscribe_scoreboard', { board });
    for (const board of boards.slice(0, 16)) assert.equal((await watch(board)).ok, true);
    const refused = await watch('board-17');
    expectRefusal(refused, 'A socket may watch 16 boards at once');
    // One that it watches already may be asked for again, and one less makes room.
    assert.equal((await watch('board-3')).ok, true);
    assert.equal((await leave('board-1')).ok, true);
    assert.equal((await watch('board-17')).ok, true);
    for (const board of ['board-1', 'board-17']) {
      await actOn(podium, board, { userId: user, scoreIncrease: 4 });
    }
    const scored = ({ topScores }) => topScores[0]?.score === 4;
    const shown = await nextEvent(socket, 'leaderboard_refresh', scored);
    assert.equal(shown.board, 'board-17');
    await roundTrip(socket);
    const all = received(socket, 'leaderboard_refresh').filter(scored);
    assert.ok(all.every(({ board }) => board === 'board-17'));
  });
});

describe('boards made afterwards', () => {
  const PERIODS = [
    { every: 'day', zone: 'Europe/Berlin' },
    { every: 'week', zone: 'America/New_York' },
    { every: 'month', zone: 'UTC' },
  ];
  const KINDS = {
    types: { types: ['goal', 'assist'] },
    young: { group: 'U18' },
    teams: { by: 'team' },
    best: { by: 'team', best: 2 },
    'young-teams': { group: 'U18', types: ['goal'], by: 'team', best: 1 },
    counted: { operator: 'count' },
    latest: { operator: 'latest', ties: 'dense' },
    lowest: { operator: 'best', direction: 'lowest', ties: 'competition' },
  };
  const periods = PERIODS.map((period) => [period.every, { period }]);
  const boards = Object.fromEntries(
    [...Object.entries(KINDS), ...periods, ['team-days', { by: 'team', period: PERIODS[0] }]].map(
      ([name, settings]) => [name, { of: 'main', ...settings }],
    ),
  );

  it('are as they would have been from the start', async (t) => {
    // The same every time.
    let state = 7;
    const random = (n) => (state = (state * 48_271) % 2_147_483_647) % n;
    const teams = Array.from({ length: 3 }, () => randomUUID());
    const people = Array.from({ length: 9 }, () => randomUUID());
    const change = async (podium) => {
      const i = random(people.length);
      const body = { username: `Player ${i}`, groups: random(2) ? ['U18'] : [] };
      if (random(3)) body.team = random(4) ? teams[random(teams.length)] : null;
      await put(podium, `users/${people[i]}`, body);
    };
    let podium;
    let database;
    // Over a change of the clocks, the end of a month, and days without a server.
    const days = ['2026-10-24 20:00:00', '2026-10-25 23:30:00', '2026-10-28 09:00:00', '2026-11-01 03:00:00'];
    for (const [day, time] of days.entries()) {
      const options = atTime(time, database);
      podium = await podiumForTest(t, options);
      database = podium.database;
      if (day === 0) {
        for (const id of teams) await put(podium, `teams/${id}`, { name: `Team ${id.slice(0, 4)}` });
        for (const [i, id] of people.entries()) {
          await put(podium, `users/${id}`, { username: `Player ${i}` });
        }
        for (const [board, settings] of Object.entries(boards)) {
          await put(podium, `boards/${board}`, settings);
        }
      }
      for (let step = 0; step < 60; step += 1) {
        const user = people[random(people.length)];
        if (random(6) === 0) await change(podium);
        if (random(15) === 0) {
          const body = { hidden: random(2) === 0 };
          await ok(api(podium, 'PUT', `users/${user}/standing`, { token: admin(), body }), 204);
        }
        const actionType = ['goal', 'assist', 'foul'][random(3)];
        const parts = { userId: user, actionType, scoreIncrease: random(40) - 8 };
        await actOn(podium, 'main', parts);
      }
      if (day + 1 < days.length) await podium.stop();
    }
    const rowsOf = async (path) => {
      const { topScores, totalUsers } = await ok(get(podium, `${path}/leaderboard?limit=1000`));
      return { topScores, totalUsers };
    };
    const all = async (board) => {
      const seasons = await ok(get(podium, `boards/${board}/seasons`));
      const finals = [];
      for (const { number } of seasons) {
        finals.push(await rowsOf(`boards/${board}/seasons/${number}`));
      }
      return { now: await rowsOf(`boards/${board}`), seasons, finals };
    };
    for (const [board, settings] of Object.entries(boards)) {
      await put(podium, `boards/${board}-2`, settings);
      const [from, afterwards] = [await all(board), await all(`${board}-2`)];
      assert.deepEqual(afterwards, from, board);
      assert.ok(from.now.totalUsers + from.finals.length > 0, board);
    }
    // Each action is in one season: they sum up to what has been for all time.
    const { topScores } = await rowsOf('boards/main');
    for (const [period, ended] of [['day', 8], ['week', 1], ['month', 1]]) {
      const { now, finals } = await all(period);
      assert.equal(finals.length, ended, period);
      const sums = new Map();
      for (const { userId, score } of [now, ...finals].flatMap((it) => it.topScores)) {
        sums.set(userId, (sums.get(userId) ?? 0) + score);
      }
      for (const { userId, score } of topScores) assert.equal(sums.get(userId) ?? 0, score, period);
    }
  });
});

describe('time', () => {
  const weekly = { of: 'main', period: { every: 'week', zone: 'Europe/Berlin' } };
  const daily = { of: 'main', period: { every: 'day', zone: 'Europe/Berlin' } };
  const seasonsOf = async (podium, board) =>
    (await ok(get(podium, `boards/${board}/seasons`))).reverse();

  it('has weeks of 169 and 167 hours, and one around new year', async (t) => {
    let database;
    const at = async (time) => {
      const podium = await podiumForTest(t, atTime(time, database));
      database = podium.database;
      return podium;
    };
    let podium = await at('2026-12-31 12:00:00');
    const user = randomUUID();
    await put(podium, `users/${user}`, { username: 'Ada' });
    await put(podium, 'boards/weekly', weekly);
    await actOn(podium, 'main', { userId: user, scoreIncrease: 1 });
    await podium.stop();
    podium = await at('2027-01-02 12:00:00');
    await actOn(podium, 'main', { userId: user, scoreIncrease: 2 });
    const { season } = await ok(get(podium, 'boards/weekly'));
    assert.deepEqual(season, { number: 1, name: '2026-W53', ends: '2027-01-03T23:00:00.000Z' });
    await podium.stop();
    podium = await at('2027-03-28 21:59:30');
    await actOn(podium, 'main', { userId: user, scoreIncrease: 4 });
    const shown = await ok(get(podium, 'boards/weekly'));
    assert.deepEqual(shown.season.name, '2027-W12');
    assert.equal(shown.season.ends, '2027-03-28T22:00:00.000Z');
    const seasons = await seasonsOf(podium, 'weekly');
    assert.equal(seasons.length, 12);
    assert.deepEqual(seasons[0], { number: 1, name: '2026-W53', ended: '2027-01-03T23:00:00.000Z' });
    const hours = seasons.map(({ ended }, i) =>
      (Date.parse(seasons[i + 1]?.ended ?? shown.season.ends) - Date.parse(ended)) / 3_600_000,
    );
    assert.deepEqual(hours, [...Array.from({ length: 11 }, () => 168), 167]);
    const first = await ok(get(podium, 'boards/weekly/seasons/1/leaderboard'));
    assert.equal(first.topScores[0].score, 3);
  });

  it('ends what ends at one moment once each, and closes days that no server saw', async (t) => {
    const T = '2026-10-25T23:00:00.000Z';
    const podium = await podiumForTest(t, atTime('2026-10-25 22:59:54'));
    const user = randomUUID();
    await put(podium, `users/${user}`, { username: 'Ada' });
    await put(podium, 'boards/x', { ends: T });
    await put(podium, 'boards/y', weekly);
    await put(podium, 'boards/z', daily);
    await actOn(podium, 'x', { userId: user, scoreIncrease: 1 });
    await actOn(podium, 'main', { userId: user, scoreIncrease: 1 });
    const socket = await connect(podium.url, { token: viewer() });
    for (const board of ['y', 'z']) {
      await ask(socket, 'subscribe_scoreboard', { board });
      // Nobody acts: the clock ends them.
      const ended = (it) => it.board === board && it.totalUsers === 0;
      await nextEvent(socket, 'leaderboard_refresh', ended);
    }
    const late = { actionId: randomUUID(), userId: user, actionType: 'late', scoreIncrease: 1 };
    const send = (podium, body) => api(podium, 'POST', 'actions', { token: admin(), body });
    await refused(send(podium, { ...late, board: 'x' }), 409, /has ended/);
    await ok(send(podium, late));
    assert.deepEqual(await seasonsOf(podium, 'y'), [{ number: 1, name: '2026-W43', ended: T }]);
    assert.deepEqual(await seasonsOf(podium, 'z'), [{ number: 1, name: '2026-10-25', ended: T }]);
    await podium.stop();

    // Down over three midnights.
    const again = await podiumForTest(t, atTime('2026-10-28 22:59:54', podium.database));
    await actOn(again, 'main', { userId: user, scoreIncrease: 5 });
    const names = async () => (await seasonsOf(again, 'z')).map(({ name }) => name);
    const days = ['2026-10-25', '2026-10-26', '2026-10-27'];
    assert.deepEqual(await names(), days);
    const watcher = await connect(again.url, { token: viewer() });
    await ask(watcher, 'subscribe_scoreboard', { board: 'z' });
    await nextEvent(watcher, 'leaderboard_refresh', ({ totalUsers }) => totalUsers === 0);
    assert.deepEqual(await names(), [...days, '2026-10-28']);
    const scores = [];
    for (const number of [1, 2, 3, 4]) {
      const { topScores } = await ok(get(again, `boards/z/seasons/${number}/leaderboard`));
      scores.push(topScores.map(({ score }) => score));
    }
    assert.deepEqual(scores, [[1], [1], [], [5]]);
    assert.equal((await seasonsOf(again, 'y')).length, 1);
  });
});

/** What a socket was told of actions on a board: how many, their points, and the latest score. */
function told(socket, name) {
  const updates = received(socket, 'user_score_update').filter(({ board }) => board === name);
  const acted = updates.filter(({ actionType }) => actionType === 'run');
  const sum = (key) => acted.reduce((sum, update) => sum + update[key], 0);
  const { score, rank } = updates.at(-1) ?? {};
  return { actions: sum('merged'), points: sum('scoreIncrease'), score, rank };
}

describe('their own score', () => {
  const asPlayer = (podium, user) => connect(podium.url, { token: token({ user, claims: LASTING }) });

  it('is told to who is hidden, and to nobody else', async (t) => {
    const podium = await podiumForTest(t);
    const [ada, bob] = [randomUUID(), randomUUID()];
    await put(podium, `users/${ada}`, { username: 'Ada' });
    await put(podium, `users/${bob}`, { username: 'Bob' });
    await put(podium, 'boards/runs', { of: 'main' });
    const run = (userId, scoreIncrease) =>
      actOn(podium, 'main', { userId, scoreIncrease, actionType: 'run' });
    const [own, others] = [await asPlayer(podium, ada), await asPlayer(podium, bob)];
    // Boards have ticks of their own: either may come first.
    const onBoth = (socket, has) =>
      Promise.all(
        [undefined, 'runs'].map((board) =>
          nextEvent(socket, 'user_score_update', (it) => it.board === board && has(it)),
        ),
      );
    for (const [socket, user] of [[own, ada], [others, bob]]) {
      await ask(socket, 'subscribe_scoreboard', { mode: 'delta' });
      await ask(socket, 'subscribe_scoreboard', { board: 'runs' });
      await ask(socket, 'subscribe_user_score', { userId: user, board: 'runs' });
      const points = user === ada ? 5 : 3;
      const heard = onBoth(socket, (it) => it.score === points);
      await run(user, points);
      await heard;
    }
    const body = { hidden: true };
    const first = onBoth(others, (it) => it.rank === 1);
    await ok(api(podium, 'PUT', `users/${ada}/standing`, { token: admin(), body }), 204);
    await first;
    const before = JSON.stringify(await ok(get(podium, 'leaderboard')));

    const told20 = onBoth(own, (it) => it.actionType === 'run');
    await run(ada, 20);
    for (const update of await told20) {
      assert.deepEqual([update.score, update.rank, update.scoreIncrease], [25, null, 20]);
    }
    assert.equal(JSON.stringify(await ok(get(podium, 'leaderboard'))), before);
    // All that was sent to others because of it would be here.
    const last = onBoth(others, (it) => it.score === 4);
    await run(bob, 1);
    await last;
    for (const name of ['scoreboard_update', 'batch_update', 'scoreboard_delta', 'system_notification']) {
      assert.doesNotMatch(JSON.stringify(received(others, name)), /score":25\b/i, name);
    }
    assert.deepEqual(told(own, 'runs'), { actions: 2, points: 25, score: 25, rank: null });
  });

  it('is told of each action, also where a season ends amid them', async (t) => {
    const podium = await podiumForTest(t, atTime('2026-10-25 22:59:55'));
    const user = randomUUID();
    await put(podium, `users/${user}`, { username: 'Ada' });
    const period = { every: 'week', zone: 'Europe/Berlin' };
    await put(podium, 'boards/weekly', { of: 'main', period });
    const socket = await asPlayer(podium, user);
    await ask(socket, 'subscribe_user_score', { userId: user, board: 'weekly' });
    const number = async () => (await ok(get(podium, 'boards/weekly'))).season.number;
    let sent = 0;
    // The tick in which the season ends has some of them.
    for (let left = 20; left > 0; left -= (await number()) > 1 ? 1 : 0) {
      await actOn(podium, 'main', { userId: user, scoreIncrease: 2, actionType: 'run' });
      sent += 1;
    }
    const { score } = await ok(get(podium, `boards/weekly/users/${user}`));
    assert.ok(score < 2 * sent && score >= 38, `${score} of ${2 * sent}`);
    const all = { actions: sent, points: 2 * sent, score, rank: 1 };
    while (told(socket, 'weekly').actions < sent) {
      await nextEvent(socket, 'user_score_update', ({ board }) => board === 'weekly');
    }
    assert.deepEqual(told(socket, 'weekly'), all);
  });
});

describe('a configuration that says otherwise than the log', () => {
  const env = {
    PODIUM_BOARD__TITLE: 'Other',
    PODIUM_BOARD__TOP: '25',
    PODIUM_BOARD__DIRECTION: 'lowest',
    PODIUM_RANKING__TIES: 'dense',
  };
  const all =
    /board\.title is "Cup" and not "Other", board\.top is 5 and not 25, board\.direction is "highest" and not "lowest", ranking\.ties is "earliest" and not "dense"\. The log holds: .*PUT \/api\/v1\/boards\/main/;
  const check = (database, more = {}) =>
    promisify(execFile)(PODIUM, ['check-config'], {
      cwd: ROOT,
      env: { ...commandEnv(`sqlite:${database}`), ...more },
    });

  it('is reported by check-config and at the start, and changes nothing', async (t) => {
    const cup = { PODIUM_BOARD__TITLE: 'Cup', PODIUM_BOARD__TOP: '5' };
    const first = await podiumForTest(t, { env: cup });
    const { database } = first;
    assert.doesNotMatch(first.log.text, /The log holds/);
    // Also while a server has the file.
    assert.match((await check(database, env)).stdout, all);
    assert.doesNotMatch((await check(database, cup)).stdout, /log/);
    await first.stop();
    const before = readFileSync(database);
    const { stdout } = await check(database, env);
    assert.match(stdout, all);
    assert.match(stdout, /The configuration is good\.\n$/);
    assert.deepEqual(readFileSync(database), before);

    const second = await podiumForTest(t, { database, env });
    await second.log.says(all);
    const shown = await ok(get(second, 'boards/main'));
    assert.deepEqual([shown.title, shown.top, shown.direction], ['Cup', 5, 'highest']);
    // As the message says: what GET shows, changed and sent back.
    const body = { ...shown, title: 'Other', top: 25, direction: 'lowest', ties: 'dense' };
    const changed = await ok(api(second, 'PUT', 'boards/main', { token: admin(), body }));
    assert.equal(changed.title, 'Other');
    const other = { ...shown, id: 'other' };
    const wrong = api(second, 'PUT', 'boards/main', { token: admin(), body: other });
    await refused(wrong, 422, /^id: it is main/);
    assert.doesNotMatch((await check(database, env)).stdout, /log/);
    await second.stop();
    assert.doesNotMatch((await check(database, env)).stdout, /log/);
  });

  it('is none where nothing is stored yet', async () => {
    const { stdout } = await check('/tmp/no-such-folder/podium.db', env);
    assert.equal(stdout, 'The configuration is good.\n');
  });
});

describe('the demo', () => {
  it('shows a main board, the week and teams', async (t) => {
    const podium = await podiumForTest(t, { args: ['--demo'] });
    let boards;
    // They are made right after the server has begun to listen.
    do boards = await ok(get(podium, 'boards'));
    while (boards.length < 3 || boards.some(({ seq }) => seq < 100));
    assert.deepEqual(boards.map(({ id }) => id), ['main', 'teams', 'weekly']);
    const [, teams, weekly] = boards;
    assert.deepEqual([teams.of, teams.by, teams.best, teams.totalUsers], ['main', 'team', 3, 6]);
    assert.deepEqual([weekly.of, weekly.period], ['main', { every: 'week', zone: 'UTC' }]);
    const { topScores } = await ok(get(podium, 'boards/teams/leaderboard'));
    assert.ok(topScores.every(({ username, score }) => username.includes(' ') && score > 0));
    // A second start changes nothing of it.
    await ok(
      api(podium, 'PUT', 'boards/weekly', { token: admin(), body: { ...weekly, title: 'Mine' } }),
    );
    await podium.stop();
    const { database } = podium;
    const again = await podiumForTest(t, { args: ['--demo'], database });
    assert.equal((await ok(get(again, 'boards/weekly'))).title, 'Mine');
    assert.equal((await ok(get(again, 'boards'))).length, 3);
  });
});
