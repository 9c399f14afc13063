// What the contract says that answers and payloads look like, one function each.

import assert from 'node:assert/strict';

const ISO_8601 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** Exactly these fields, and perhaps some of the optional ones. */
function expectFields(object, fields, optional = []) {
  assert.equal(typeof object, 'object');
  assert.notEqual(object, null);
  const present = Object.keys(object).filter((name) => !optional.includes(name));
  assert.deepEqual(present.sort(), [...fields].sort());
}

function expectText(value, what) {
  assert.equal(typeof value, 'string', what);
  assert.notEqual(value, '', what);
}

function expectInteger(value, least, what) {
  assert.ok(Number.isSafeInteger(value) && value >= least, `${what} is ${value}`);
}

function expectTime(value, what) {
  assert.match(value, ISO_8601, what);
  assert.ok(!Number.isNaN(Date.parse(value)), `${what} is ${value}`);
}

/** Where in which log a fact was true. */
function expectPosition({ epoch, seq }) {
  expectText(epoch, 'epoch');
  expectInteger(seq, 0, 'seq');
}

function expectRow(row) {
  expectFields(row, ['userId', 'username', 'score', 'rank'], ['avatar']);
  expectText(row.userId, 'userId');
  expectText(row.username, 'username');
  expectInteger(row.score, Number.MIN_SAFE_INTEGER, 'score');
  expectInteger(row.rank, 1, 'rank');
  if ('avatar' in row) expectText(row.avatar, 'avatar');
}

/** A LeaderboardData, by socket or by HTTP; of this page, or of the top N. */
export function expectLeaderboard(data, { page } = {}) {
  const fields = ['topScores', 'totalUsers', 'lastUpdated', 'epoch', 'seq'];
  expectFields(data, page === undefined ? fields : [...fields, 'page']);
  assert.equal(data.page, page);
  assert.ok(Array.isArray(data.topScores));
  data.topScores.forEach(expectRow);
  expectInteger(data.totalUsers, 0, 'totalUsers');
  expectTime(data.lastUpdated, 'lastUpdated');
  expectPosition(data);
}

/** What became of one row between two moments. */
function expectRowChange(change) {
  expectText(change.userId, 'userId');
  if ('gone' in change) {
    assert.deepEqual(change, { userId: change.userId, gone: true });
    return;
  }
  expectFields(change, ['userId', 'index', 'score', 'rank'], ['username', 'avatar']);
  expectInteger(change.index, 0, 'index');
  expectInteger(change.score, Number.MIN_SAFE_INTEGER, 'score');
  expectInteger(change.rank, 1, 'rank');
  if ('username' in change) expectText(change.username, 'username');
  if ('avatar' in change && change.avatar !== null) expectText(change.avatar, 'avatar');
}

/** A `heartbeat` of somebody who watches the main board. */
export function expectHeartbeat(heartbeat) {
  expectFields(heartbeat, ['time', 'epoch', 'seqs']);
  expectTime(heartbeat.time, 'time');
  expectText(heartbeat.epoch, 'epoch');
  expectFields(heartbeat.seqs, ['main']);
  expectInteger(heartbeat.seqs.main, 0, 'seqs.main');
}

/** A `scoreboard_delta`; of this page, or of the top N. */
export function expectDelta(delta, { page } = {}) {
  const fields = ['epoch', 'from', 'to', 'changes', 'totalUsers', 'lastUpdated'];
  expectFields(delta, page === undefined ? fields : [...fields, 'page']);
  assert.equal(delta.page, page);
  expectText(delta.epoch, 'epoch');
  expectInteger(delta.from, 0, 'from');
  expectInteger(delta.to, delta.from, 'to');
  assert.ok(Array.isArray(delta.changes));
  delta.changes.forEach(expectRowChange);
  const users = delta.changes.map(({ userId }) => userId);
  assert.equal(new Set(users).size, users.length, 'nobody is in it twice');
  expectInteger(delta.totalUsers, 0, 'totalUsers');
  expectTime(delta.lastUpdated, 'lastUpdated');
}

/** A UserScoreUpdate. */
export function expectUserScoreUpdate(data) {
  const fields = ['userId', 'score', 'rank', 'actionType', 'scoreIncrease', 'timestamp'];
  expectFields(data, [...fields, 'epoch', 'seq'], ['merged']);
  expectText(data.userId, 'userId');
  expectInteger(data.score, Number.MIN_SAFE_INTEGER, 'score');
  expectInteger(data.rank, 1, 'rank');
  assert.equal(typeof data.actionType, 'string');
  expectInteger(data.scoreIncrease, Number.MIN_SAFE_INTEGER, 'scoreIncrease');
  if ('merged' in data) expectInteger(data.merged, 0, 'merged');
  expectTime(data.timestamp, 'timestamp');
  expectPosition(data);
}

/** The answer to an accepted action. */
export function expectActionAnswer(answer) {
  expectFields(answer, ['seq', 'score', 'rank', 'oldRank', 'duplicate']);
  expectInteger(answer.seq, 1, 'seq');
  expectInteger(answer.score, Number.MIN_SAFE_INTEGER, 'score');
  expectInteger(answer.rank, 1, 'rank');
  expectInteger(answer.oldRank, 1, 'oldRank');
  assert.equal(typeof answer.duplicate, 'boolean');
}

/** A user's public record, being at least this. */
export function expectUser(user, { avatar, ...expected }) {
  const { userId, username, score, rank } = user;
  assert.deepEqual({ userId, username, score, rank }, expected);
  assert.equal(user.avatar ?? undefined, avatar);
}

/** Of an integer that may be unknown. */
function expectIntegerOrNull(value, least, what) {
  if (value !== null) expectInteger(value, least, what);
}

function expectHistoryPoint(point, more = []) {
  expectFields(point, ['seq', 'score', 'timestamp', ...more], ['rank']);
  expectInteger(point.seq, 1, 'seq');
  expectInteger(point.score, Number.MIN_SAFE_INTEGER, 'score');
  if ('rank' in point) expectInteger(point.rank, 1, 'rank');
  expectTime(point.timestamp, 'timestamp');
}

/** What a user has done. */
export function expectHistory(data) {
  const fields = ['userId', 'username', 'score', 'rank', 'bestRank', 'actions', 'history', 'recent'];
  const optional = ['avatar', 'firstActionAt', 'lastActionAt'];
  expectFields(data, [...fields, 'epoch', 'seq'], optional);
  expectText(data.userId, 'userId');
  expectText(data.username, 'username');
  if ('avatar' in data) expectText(data.avatar, 'avatar');
  expectIntegerOrNull(data.score, Number.MIN_SAFE_INTEGER, 'score');
  expectIntegerOrNull(data.rank, 1, 'rank');
  expectIntegerOrNull(data.bestRank, 1, 'bestRank');
  expectInteger(data.actions, 0, 'actions');
  for (const time of ['firstActionAt', 'lastActionAt']) {
    if (time in data) expectTime(data[time], time);
  }
  data.history.forEach((point) => expectHistoryPoint(point));
  for (const action of data.recent) {
    expectHistoryPoint(action, ['actionType', 'scoreIncrease']);
    expectText(action.actionType, 'actionType');
    expectInteger(action.scoreIncrease, Number.MIN_SAFE_INTEGER, 'scoreIncrease');
  }
  expectPosition(data);
}

/** A user who was looked for. */
export function expectFoundUser(user) {
  expectFields(user, ['userId', 'username', 'score', 'rank'], ['avatar']);
  expectText(user.userId, 'userId');
  expectText(user.username, 'username');
  if ('avatar' in user) expectText(user.avatar, 'avatar');
  expectIntegerOrNull(user.score, Number.MIN_SAFE_INTEGER, 'score');
  expectIntegerOrNull(user.rank, 1, 'rank');
}

/** The problem details of RFC 9457 with one of these statuses. */
export function expectProblemDetails(problem, ...statuses) {
  assert.ok(statuses.includes(problem?.status), `not ${statuses}: ${JSON.stringify(problem)}`);
  for (const field of ['type', 'title', 'detail']) expectText(problem[field], field);
}

/** A refused request. */
export function expectProblem(response, ...statuses) {
  const { status, contentType, body } = response;
  assert.ok(statuses.includes(status), `${status}, not ${statuses}: ${JSON.stringify(body)}`);
  assert.match(contentType, /^application\/problem\+json\b/);
  expectProblemDetails(body, status);
}

/** A refused acknowledgement. */
export function expectRefusal(ack, message) {
  assert.equal(ack.ok, false);
  expectText(ack.error.code, 'code');
  assert.equal(ack.error.message, message);
}
