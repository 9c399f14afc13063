// A server with several boards, of every kind that looks its own way.

import { randomUUID } from 'node:crypto';

import { act, putUser, request, startPodium, token } from './podium.mjs';

/** Claims of a token that is valid on servers with clocks of their own. */
export const LASTING = { iat: 1_577_836_800, exp: 4_102_444_800 };

const admin = token({ user: randomUUID(), role: 'admin', claims: LASTING });

/** Options of a server whose clock starts then, in UTC. */
export const atTime = (time, database) => ({
  database,
  env: {
    LD_PRELOAD: '/usr/$LIB/faketime/libfaketime.so.1',
    FAKETIME: `@${time}`,
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    TZ: 'UTC',
  },
});

/** Puts a board or a team there, as an organiser. */
export async function put(podium, path, body) {
  const { status, body: answer } = await request(podium.url, 'PUT', `/api/v1/${path}`, {
    token: admin,
    body,
  });
  if (status >= 300) throw new Error(`PUT ${path}: ${status} ${JSON.stringify(answer)}`);
}

/** Deletes something there, as an organiser. */
export async function remove(podium, path) {
  const { status } = await request(podium.url, 'DELETE', `/api/v1/${path}`, { token: admin });
  if (status >= 300) throw new Error(`DELETE ${path}: ${status}`);
}

/** Sends an action on a board. */
export async function actOn(podium, board, parts) {
  const body = { actionId: randomUUID(), actionType: 'test', board, ...parts };
  const publisher = token({ user: randomUUID(), role: 'publisher', claims: LASTING });
  const options = { token: publisher, body };
  const { status, body: answer } = await request(podium.url, 'POST', '/api/v1/actions', options);
  if (status >= 300) throw new Error(`${status} ${JSON.stringify(answer)}`);
}

/** So many boards more, all of which follow from `main`. */
export async function withMany(podium, count) {
  const titles = Array.from({ length: count }, (_, i) => `Round ${i + 1}`);
  const board = (title, i) => put(podium, `boards/round-${i + 1}`, { title, of: 'main' });
  await Promise.all(titles.map(board));
}

/**
 * A server with a daily board of which three seasons have ended: one with all players, and two
 * on which nobody played. Resolves to the server.
 */
export async function withEndedSeasons({ names, idOf, points }) {
  const before = await startPodium(atTime('2026-10-25 12:00:00'));
  await put(before, 'boards/daily', {
    title: 'Day by day',
    of: 'main',
    period: { every: 'day', zone: 'Europe/Vienna' },
  });
  for (const [i, name] of names.entries()) {
    await put(before, `users/${idOf(name)}`, { username: name });
    await actOn(before, 'main', { userId: idOf(name), scoreIncrease: points(i) });
  }
  await before.stop();
  const after = await startPodium(atTime('2026-10-28 12:00:00', before.database));
  // The first action ends what has ended.
  await actOn(after, 'main', { userId: idOf(names[0]), scoreIncrease: 10 });
  return after;
}

const NAMES = ['Ada Lovelace', 'Grace Hopper', 'Alan Turing', 'Edsger Dijkstra'];

/** The teams that players are in by turns. */
export const TEAMS = ['Northern Lights', 'Southern Cross'];

/** Points that fall from place to place, on boards of four players. */
const steep = (i) => 4_000 - i * 731;

/**
 * A server with five boards. Resolves to the ids of its players.
 *
 * @param {object} players their `names`, from each an id by `idOf`, and from its place the
 *   `points` on the main board
 */
export async function withBoards(
  podium,
  { names = NAMES, idOf = () => randomUUID(), points = steep } = {},
) {
  const teams = TEAMS.map((name) => idOf(name));
  for (const [i, name] of TEAMS.entries()) await put(podium, `teams/${teams[i]}`, { name });
  await put(podium, 'boards/sprint', {
    title: 'Sprint, 400 m',
    direction: 'lowest',
    operator: 'best',
    format: { style: 'duration', decimals: 3 },
  });
  await put(podium, 'boards/distance', {
    title: 'Distance',
    format: { style: 'decimal', decimals: 2, unit: 'km' },
    tiebreak: { direction: 'lowest' },
  });
  await put(podium, 'boards/weekly', {
    title: 'This week',
    of: 'main',
    period: { every: 'week', zone: 'Europe/Vienna' },
  });
  await put(podium, 'boards/teams', { title: 'Teams', of: 'main', by: 'team' });
  const ids = [];
  for (const [i, name] of names.entries()) {
    const id = idOf(name);
    ids.push(id);
    await putUser(podium.url, id, name);
    await request(podium.url, 'PUT', `/api/v1/users/${id}`, {
      token: admin,
      body: { username: name, team: teams[i % 2] },
    });
    await act(podium.url, { userId: id, scoreIncrease: points(i) });
    await actOn(podium, 'sprint', { userId: id, scoreIncrease: 58_204 + i * 1_377 });
    await actOn(podium, 'distance', {
      userId: id,
      scoreIncrease: 42_195 - i * 1_250,
      tiebreakIncrease: 12 + i,
    });
  }
  return ids;
}
