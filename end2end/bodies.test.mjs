// What programs send as JSON, in the ways in which they write it.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';

import { expectProblem } from './support/expect.mjs';
import { newUser, publisherToken, request, ticket, token } from './support/podium.mjs';
import { podiumForSuite } from './support/suite.mjs';

const ACTIONS = '/api/v1/actions';
const NOTIFICATIONS = '/api/v1/notifications';
const BYTE_ORDER_MARK = '\ufeff';

/** Numbers as programs write them, and what they are. */
const WHOLE = [
  ['5.0', 5],
  ['1e3', 1000],
  ['1E+3', 1000],
  ['-0.0', 0],
  ['-7.00', -7],
  ['2.5e1', 25],
  ['9007199254740991.0', Number.MAX_SAFE_INTEGER],
];

const NOT_WHOLE = [
  '5.5',
  '1e-1',
  '5.00000000000000000001',
  '1e400',
  '9007199254740992',
  '9007199254740993.0',
  '-9007199254740992.0',
  '"5"',
  '[5]',
  'true',
];

describe('bodies', () => {
  const podium = podiumForSuite();

  const post = (path, text, bearer = publisherToken()) =>
    request(podium.url, 'POST', path, { token: bearer, text });

  const action = (userId, increase) =>
    `{"actionId":"${randomUUID()}","userId":"${userId}","actionType":"goal","scoreIncrease":${increase}}`;

  it('take a whole number however it is written', async () => {
    for (const [written, score] of WHOLE) {
      const one = await newUser(podium);
      const alone = await post(ACTIONS, action(one, written));
      assert.equal(alone.status, 200, `${written}: ${JSON.stringify(alone.body)}`);
      assert.equal(alone.body.score, score, written);
      const other = await newUser(podium);
      const several = await post(ACTIONS, `[${action(other, written)}]`);
      assert.equal(several.status, 200, written);
      assert.equal(several.body[0].score, score, written);
    }
  });

  it('refuse other numbers, and say which', async () => {
    const userId = await newUser(podium);
    for (const written of NOT_WHOLE) {
      const refused = await post(ACTIONS, action(userId, written));
      expectProblem(refused, 422);
      assert.ok(refused.body.detail.includes(`scoreIncrease must be a whole number`), refused.body.detail);
      assert.ok(refused.body.detail.includes(written), refused.body.detail);
      const inArray = await post(ACTIONS, `[${action(userId, 1)},${action(userId, written)}]`);
      expectProblem(inArray, 422);
      assert.ok(inArray.body.detail.startsWith('action 1, counted from 0: scoreIncrease'));
    }
    for (const written of ['NaN', 'Infinity', '-Infinity']) {
      const refused = await post(ACTIONS, action(userId, written));
      expectProblem(refused, 400);
      assert.ok(refused.body.detail.endsWith('JSON has no NaN and no Infinity'), refused.body.detail);
    }
    const { body } = await request(podium.url, 'GET', `/api/v1/users/${userId}`);
    assert.equal(body.score, 0);
  });

  it('refuse other numbers in a ticket, and say which', async () => {
    const user = await newUser(podium);
    const bad = ticket({ user, claims: { scoreIncrease: 5.5 } });
    const refused = await post(ACTIONS, JSON.stringify({ ticket: bad }), token({ user }));
    assert.match(refused.body.detail, /scoreIncrease must be a whole number.* not 5\.5/);
  });

  it('take the same numbers for how long a notification is shown', async () => {
    const admin = token({ user: randomUUID(), role: 'admin' });
    const notify = (duration) => post(NOTIFICATIONS, `{"message":"hello","duration":${duration}}`, admin);
    const taken = await notify('5e3');
    assert.equal(taken.status, 201, JSON.stringify(taken.body));
    assert.equal(taken.body.duration, 5000);
    for (const written of ['0', '-1.0', '1.5', '604800001', '1e400', '"5"']) {
      const refused = await notify(written);
      expectProblem(refused, 422);
      assert.match(refused.body.detail, /duration must be 1 to 604800000/);
    }
  });

  it('may begin with a byte order mark', async () => {
    const userId = await newUser(podium);
    for (const text of [action(userId, 1), `[${action(userId, 1)}]`, `\n ${action(userId, 1)}`]) {
      const taken = await post(ACTIONS, BYTE_ORDER_MARK + text);
      assert.equal(taken.status, 200, JSON.stringify(taken.body));
    }
    const twice = await post(ACTIONS, BYTE_ORDER_MARK + BYTE_ORDER_MARK + action(userId, 1));
    expectProblem(twice, 400);
  });

  it('are UTF-8, which is said of others', async () => {
    const userId = await newUser(podium);
    const text = action(userId, 1);
    for (const bytes of [
      Buffer.from(BYTE_ORDER_MARK + text, 'utf16le'),
      Buffer.from(text, 'utf16le'),
      Buffer.from(BYTE_ORDER_MARK + text, 'utf16le').swap16(),
      Buffer.from(text, 'utf16le').swap16(),
    ]) {
      const refused = await post(ACTIONS, bytes);
      expectProblem(refused, 400);
      assert.match(refused.body.detail, /UTF-16.* send it as UTF-8/);
    }
    const refused = await post(ACTIONS, Buffer.from(text.replace('goal', 'gôal'), 'latin1'));
    expectProblem(refused, 400);
    assert.match(refused.body.detail, /not UTF-8/);
  });

  it('name no field twice, and nest a little', async () => {
    const userId = await newUser(podium);
    const twice = action(userId, 1).replace('}', ',"scoreIncrease":1000}');
    const refused = await post(ACTIONS, twice);
    expectProblem(refused, 422);
    assert.match(refused.body.detail, /duplicate field `scoreIncrease`/);
    const deep = '['.repeat(200_000) + ']'.repeat(200_000);
    for (const text of [
      deep,
      `{"a":${deep}}`,
      `[{"a":${deep}}]`,
      action(userId, deep),
      action(userId, 1).replace('{', `{"userId":${deep},`),
    ]) {
      const answer = await post(ACTIONS, text);
      expectProblem(answer, 400, 422);
      assert.ok(answer.body.detail.length < 300, `${answer.body.detail.length}`);
    }
    assert.equal((await request(podium.url, 'GET', '/healthz')).status, 200);
  });

  for (const text of ['', ' ', BYTE_ORDER_MARK, 'null', '5', '"text"', '{}', '[]x', '{"a":1,}']) {
    it(`are refused if they are ${JSON.stringify(text)}`, async () => {
      expectProblem(await post(ACTIONS, text), 400, 422);
    });
  }
});
