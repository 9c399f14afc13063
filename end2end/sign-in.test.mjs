// Signing in and out: by a person who opens a link or presses a button, and never because
// a page of somebody else wants it.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';

import {
  act,
  newUser,
  publisherToken,
  request,
  startPodium,
  ticket,
  token,
} from './support/podium.mjs';
import { HTML, NAVIGATES, OPENS, held, visit } from './support/visit.mjs';

const SESSION = 'podium_token';
const PUBLIC = 'https://board.example';

const now = () => Math.floor(Date.now() / 1000);
const claimsOf = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
const admin = () => token({ user: randomUUID(), role: 'admin' });

/** Who is signed in on a page, by what it knows at first. */
function youOf({ body }) {
  const [, json] = /<script[^>]* id="snapshot"[^>]*>(.*?)<\/script>/.exec(body);
  return JSON.parse(json).you?.username ?? null;
}

let podium;
/** The same behind a proxy that speaks TLS with the world. */
let secure;
before(async () => {
  [podium, secure] = await Promise.all([
    startPodium(),
    startPodium({ env: { PODIUM_HTTP__PUBLIC_URL: PUBLIC } }),
  ]);
});
after(() => Promise.all([podium?.kill(), secure?.kill()]));

/** Somebody new, who is signed in. */
async function signedIn(name, server = podium) {
  const user = await newUser(server, name);
  const mine = token({ user });
  const { cookies } = await visit(server, `/?token=${mine}`, { headers: OPENS });
  return { user, token: mine, cookies: held({}, cookies) };
}

describe('a sign-in link', () => {
  it('leaves everything in the address but the token', async () => {
    const user = await newUser(podium, 'Ada');
    const mine = token({ user });
    for (const [path, expected] of [
      [`/?token=${mine}`, '/'],
      [`/?token=${mine}&view=kiosk&lang=de`, '/?view=kiosk&lang=de'],
      [`/?page=2&token=${mine}&refresh=on`, '/?page=2&refresh=on'],
      [`/?q=a%26b+c&t%6fken=${mine}`, '/?q=a%26b+c'],
      [`/players/${user}?lang=es&token=${mine}`, `/players/${user}?lang=es`],
    ]) {
      const answer = await visit(podium, path, { headers: NAVIGATES });
      assert.deepEqual([answer.status, answer.location], [303, expected], path);
      assert.match(answer.cookies[0], /^podium_token=\S+; HttpOnly; SameSite=Lax; Path=\/; Max-Age=/);
      assert.equal(answer.cookies.length, 1);
      assert.equal(answer.headers['cache-control'], 'no-store');
      assert.equal(answer.headers['referrer-policy'], 'no-referrer');
      const page = await visit(podium, '/', { cookies: held({}, answer.cookies) });
      assert.equal(youOf(page), 'Ada');
    }
  });

  it('leaves nothing in the address either when it signs nobody in, and says so', async () => {
    const user = await newUser(podium, 'Ada');
    const revoked = await newUser(podium, 'Grace');
    const old = token({ user: revoked, claims: { iat: now() - 60 } });
    const path = `/api/v1/users/${revoked}/revoke`;
    assert.equal((await request(podium.url, 'POST', path, { token: admin() })).status, 204);
    const links = {
      'a viewer': token({ user, role: 'viewer' }),
      'a publisher': token({ user, role: 'publisher' }),
      'an admin': token({ user, role: 'admin' }),
      'an admin without a name here': admin(),
      'somebody unknown': token({ user: randomUUID() }),
      'somebody whose tokens were revoked': old,
      'a token that has ended': token({ user, ttlSeconds: -10 }),
      'a token of another key': token({ user, secret: 'x'.repeat(40) }),
      'a ticket': ticket({ user, scoreIncrease: 1 }),
      garbage: 'forged',
      nothing: '',
      'more than a cookie holds': token({ user, claims: { more: 'x'.repeat(4000) } }),
    };
    for (const [whose, link] of Object.entries(links)) {
      for (const page of ['/', `/players/${user}`]) {
        const answer = await visit(podium, `${page}?token=${link}&lang=en`, { headers: NAVIGATES });
        const expected = `${page}?lang=en&signin=failed`;
        assert.deepEqual([answer.status, answer.location], [303, expected], whose);
        assert.deepEqual(answer.cookies, [], whose);
        const said = await visit(podium, answer.location, { headers: NAVIGATES });
        assert.equal(said.status, 200, whose);
        assert.match(said.body, /This sign-in link is not valid/, whose);
      }
    }
    assert.doesNotMatch((await visit(podium, '/')).body, /class="notice"/);
  });

  it('leads to no other host, and not to one of its own choice', async () => {
    for (const path of ['//evil.example/?token=a', '/%5Cevil.example?token=a', '/nowhere?token=a']) {
      const answer = await visit(podium, path, { headers: NAVIGATES });
      assert.equal(answer.status, 303, path);
      assert.equal(new URL(answer.location, podium.url).origin, new URL(podium.url).origin, path);
      assert.doesNotMatch(answer.location, /token/);
    }
  });

  it('signs nobody in by a picture, a script, a frame or a guess', async () => {
    const user = await newUser(podium, 'Eve');
    const path = `/?token=${token({ user })}`;
    const image = 'image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8';
    for (const headers of [
      { 'sec-fetch-dest': 'image', 'sec-fetch-mode': 'no-cors' },
      { accept: HTML, 'sec-fetch-dest': 'image', 'sec-fetch-mode': 'no-cors' },
      { accept: HTML, 'sec-fetch-dest': 'iframe', 'sec-fetch-mode': 'navigate' },
      { accept: HTML, 'sec-fetch-dest': 'empty', 'sec-fetch-mode': 'cors' },
      // Without TLS nothing is sent but what is accepted.
      { accept: image },
      { accept: 'text/css,*/*;q=0.1' },
      { accept: '*/*' },
      { ...NAVIGATES, 'sec-purpose': 'prefetch' },
      { ...OPENS, purpose: 'prefetch' },
      { ...OPENS, 'x-moz': 'prefetch' },
    ]) {
      const answer = await visit(podium, path, { headers });
      assert.deepEqual(answer.cookies, [], JSON.stringify(headers));
      assert.doesNotMatch(answer.body + answer.location, /token=/);
    }
    const head = await visit(podium, path, { method: 'HEAD', headers: NAVIGATES });
    assert.deepEqual(head.cookies, []);
    // What was fetched too early is not what is shown when it is opened.
    const early = await visit(podium, path, { headers: { ...OPENS, purpose: 'prefetch' } });
    assert.equal(early.status, 503);
    assert.equal((await visit(podium, path, { headers: OPENS })).cookies.length, 1);
  });

  it('signs nobody in within a frame, and loses its token there', async () => {
    const user = await newUser(podium, 'Ada');
    const path = `/?view=embed&token=${token({ user })}&lang=de`;
    const answer = await visit(podium, path, { headers: NAVIGATES });
    assert.deepEqual([answer.status, answer.location], [303, '/?view=embed&lang=de']);
    assert.deepEqual(answer.cookies, []);
  });
});

describe('a language', () => {
  it('is remembered for those who open a page in it', async () => {
    const opened = await visit(podium, '/?lang=de', { headers: NAVIGATES });
    assert.match(opened.cookies[0], /^podium_lang=de;/);
    const picture = { 'sec-fetch-dest': 'image', 'sec-fetch-mode': 'no-cors' };
    assert.deepEqual((await visit(podium, '/?lang=de', { headers: picture })).cookies, []);
  });
});

describe('a link for somebody else', () => {
  it('asks whoever is signed in, and switches when it is told to', async () => {
    const ada = await signedIn('Ada');
    const grace = await newUser(podium, 'Grace <b>');
    const mine = token({ user: grace });
    const path = `/?token=${mine}&view=kiosk`;
    const link = await visit(podium, path, { headers: NAVIGATES, cookies: ada.cookies });
    assert.deepEqual([link.status, link.location], [303, '/?view=kiosk&signin=ask']);
    const cookies = held(ada.cookies, link.cookies);
    assert.equal(cookies[SESSION], ada.token, 'nothing has changed yet');
    for (const line of link.cookies) assert.match(line, /; HttpOnly; SameSite=Lax; Path=\/; Max-Age=\d{1,3}$/);

    const question = await visit(podium, link.location, { headers: NAVIGATES, cookies });
    assert.equal(question.status, 200);
    assert.match(question.body, /Ada/);
    assert.match(question.body, /Grace &lt;b&gt;/);
    assert.match(question.body, /<a href="\/\?view=kiosk">/);
    assert.ok(!question.body.includes(mine), 'the token is on no page');
    assert.equal(question.headers['cache-control'], 'no-store');
    assert.match(question.headers['content-security-policy'], /frame-ancestors 'self'$/);
    assert.match(question.body, /<form method="post">/);
    const [, user] = /<input[^>]* name="user" value="([^"]+)"/.exec(question.body);
    assert.equal(user, grace);

    const spanish = await visit(podium, `${link.location}&lang=es`, { headers: NAVIGATES, cookies });
    assert.match(spanish.body, /¿Entrar como otra persona\?/);
    assert.match(spanish.body, /href="\?view=kiosk&amp;signin=ask&amp;lang=de"/);

    const origin = new URL(podium.url).origin;
    const answer = await visit(podium, link.location, {
      form: { user },
      headers: { ...OPENS, origin },
      cookies,
    });
    assert.deepEqual([answer.status, answer.location], [303, '/?view=kiosk']);
    const after = held(cookies, answer.cookies);
    assert.deepEqual(after, { [SESSION]: mine });
    assert.equal(youOf(await visit(podium, '/', { cookies: after })), 'Grace <b>');
  });

  it('changes nothing for those who stay, or are told to by another site', async () => {
    const ada = await signedIn('Ada');
    const grace = await newUser(podium, 'Grace');
    const path = `/?token=${token({ user: grace })}`;
    const link = await visit(podium, path, { headers: NAVIGATES, cookies: ada.cookies });
    const cookies = held(ada.cookies, link.cookies);
    assert.equal(youOf(await visit(podium, '/', { cookies })), 'Ada');
    for (const headers of [
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site', origin: 'http://other.example' },
      { origin: 'http://evil.example' },
      { origin: 'null' },
      { referer: 'http://evil.example/' },
    ]) {
      const answer = await visit(podium, '/?signin=ask', { form: { user: grace }, headers, cookies });
      assert.equal(answer.status, 403, JSON.stringify(headers));
      assert.deepEqual(answer.cookies, []);
    }
    // One question was read, and meanwhile another link has come.
    const eve = await newUser(podium, 'Eve');
    const other = await visit(podium, `/?token=${token({ user: eve })}`, { headers: NAVIGATES, cookies });
    const mixed = held(cookies, other.cookies);
    const late = await visit(podium, '/?signin=ask', {
      form: { user: grace },
      headers: { 'sec-fetch-site': 'same-origin' },
      cookies: mixed,
    });
    assert.equal(late.location, '/?signin=failed');
    assert.deepEqual(held(mixed, late.cookies), ada.cookies);
    // Nor is there a question without a link, or for a form without one.
    const nothing = await visit(podium, '/?signin=ask', { headers: NAVIGATES, cookies: ada.cookies });
    assert.equal(youOf(nothing), 'Ada');
  });

  it('is no question where it is of the same player, or nobody is signed in any more', async () => {
    const ada = await signedIn('Ada');
    const newer = token({ user: ada.user, ttlSeconds: 7200 });
    const path = `/?token=${newer}&lang=de`;
    const renewed = await visit(podium, path, { headers: NAVIGATES, cookies: ada.cookies });
    assert.equal(renewed.location, '/?lang=de');
    const cookies = held(ada.cookies, renewed.cookies);
    assert.deepEqual(cookies, { [SESSION]: newer });
    const older = await visit(podium, `/?token=${ada.token}`, { headers: NAVIGATES, cookies });
    assert.deepEqual([older.location, held(cookies, older.cookies)], ['/', cookies]);

    const ended = { [SESSION]: token({ user: ada.user, ttlSeconds: -10 }) };
    const grace = token({ user: await newUser(podium, 'Grace') });
    const link = await visit(podium, `/?token=${grace}`, { headers: NAVIGATES, cookies: ended });
    assert.deepEqual([link.location, held(ended, link.cookies)], ['/', { [SESSION]: grace }]);
  });
});

describe('signing out', () => {
  it('is done by a form of our own alone', async () => {
    const { cookies } = await signedIn('Ada');
    const origin = new URL(podium.url).origin;
    const signOut = (headers) => visit(podium, '/sign-out', { form: {}, headers, cookies });
    for (const headers of [
      { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
      { 'sec-fetch-site': 'same-site', origin },
      { origin: 'http://evil.example' },
      { origin: 'null' },
      { referer: 'http://evil.example/' },
    ]) {
      const answer = await signOut(headers);
      assert.equal(answer.status, 403, JSON.stringify(headers));
      assert.deepEqual(answer.cookies, [], JSON.stringify(headers));
      assert.match(answer.body, /http\.public_url/);
    }
    for (const headers of [{ 'sec-fetch-site': 'same-origin' }, { origin }, { referer: `${origin}/` }]) {
      const answer = await signOut(headers);
      assert.deepEqual([answer.status, answer.location], [303, '/'], JSON.stringify(headers));
      assert.deepEqual(held(cookies, answer.cookies), {});
    }
    // A form of another site brings no cookie, and nobody is signed out by it.
    const without = await visit(podium, '/sign-out', { form: {}, headers: { origin } });
    assert.deepEqual(without.cookies, []);
    assert.notEqual((await visit(podium, '/sign-out', { headers: NAVIGATES, cookies })).status, 303);
  });

  it('takes forms of 1 KiB at most', async () => {
    const { cookies } = await signedIn('Ada');
    const headers = { 'sec-fetch-site': 'same-origin' };
    const as = (length) => ({ as: 'x'.repeat(length - 'as='.length) });
    const status = async (path, length) =>
      (await visit(podium, path, { form: as(length), headers, cookies })).status;
    assert.equal(await status('/', 1025), 413);
    assert.notEqual(await status('/', 1024), 413);
  });

  it('works where a proxy has its own name for the board', async () => {
    const { cookies } = await signedIn('Ada', secure);
    const answer = await visit(secure, '/sign-out', { form: {}, headers: { origin: PUBLIC }, cookies });
    assert.equal(answer.status, 303);
    assert.deepEqual(held(cookies, answer.cookies), {});
  });
});

describe('a cookie', () => {
  const SECURE = /^__Host-podium_token=\S+; HttpOnly; SameSite=Lax; Secure; Path=\/; Max-Age=/;

  it('is for TLS alone where the board is known by it, or a proxy says so', async (t) => {
    const ada = token({ user: await newUser(secure, 'Ada') });
    const configured = await visit(secure, `/?token=${ada}`, { headers: OPENS });
    assert.match(configured.cookies[0], SECURE);
    assert.match((await visit(secure, '/?lang=de', { headers: OPENS })).cookies[0], /; Secure;/);

    const behind = await startPodium({ env: { PODIUM_LIMITS__TRUSTED_PROXIES: '127.0.0.1' } });
    t.after(() => behind.kill());
    const grace = token({ user: await newUser(behind, 'Grace') });
    for (const [proto, isSecure] of [
      ['https', true],
      ['https, http', true],
      ['HTTPS,http', true],
      ['http, https', false],
      ['http', false],
    ]) {
      const headers = { ...OPENS, 'x-forwarded-proto': proto };
      const [cookie] = (await visit(behind, `/?token=${grace}`, { headers })).cookies;
      assert.equal(SECURE.test(cookie), isSecure, `${proto}: ${cookie}`);
      const page = await visit(behind, '/', { headers: { ...headers, host: 'board.example' } });
      assert.match(page.body, isSecure ? /"https:\/\/board\.example\/"/ : /"http:\/\/board\.example\/"/);
    }
  });

  it('that others could have set is not believed with TLS, and replaced by the next link', async () => {
    const ada = await newUser(secure, 'Ada');
    const old = { [SESSION]: token({ user: ada }) };
    assert.notEqual(youOf(await visit(secure, '/', { cookies: old })), 'Ada');
    const later = token({ user: ada, ttlSeconds: 7200 });
    const link = await visit(secure, `/?token=${later}`, { headers: OPENS, cookies: old });
    const cookies = held(old, link.cookies);
    assert.deepEqual(cookies, { [`__Host-${SESSION}`]: later });
    assert.equal(youOf(await visit(secure, '/', { cookies })), 'Ada');
  });
});

describe('a picture', () => {
  const put = (server, avatar) =>
    request(server.url, 'PUT', `/api/v1/users/${randomUUID()}`, {
      token: publisherToken(),
      body: { username: 'Mallory', avatar },
    });

  it('is no page of the board itself, under whatever name', async () => {
    const { host } = new URL(podium.url);
    for (const [server, avatar] of [
      [secure, `${PUBLIC}/?token=a`],
      [secure, 'http://board.example/?token=a'],
      [secure, `${PUBLIC}/avatars/a.png?size=80`],
      [secure, `${PUBLIC}/players/${randomUUID()}`],
      [secure, '/sign-out'],
      [podium, `http://${host}/?token=a`],
      [podium, '/?token=a'],
      [podium, '/avatars/../page/token'],
    ]) {
      const answer = await put(server, avatar);
      assert.equal(answer.status, 422, avatar);
      assert.match(answer.body.detail, /avatar/);
    }
    for (const avatar of ['/avatars/a.png', `${PUBLIC}/avatars/a.png`, 'https://other.example/a?s=80']) {
      assert.equal((await put(secure, avatar)).status, 201, avatar);
    }
  });

  it('that was taken before is not shown', async (t) => {
    // As a server that is known by no name takes it.
    const first = await startPodium();
    t.after(() => first.kill());
    const avatar = `${PUBLIC}/?token=${token({ user: randomUUID() })}`;
    const user = randomUUID();
    const body = { username: 'Mallory', avatar };
    const path = `/api/v1/users/${user}`;
    const answer = await request(first.url, 'PUT', path, { token: publisherToken(), body });
    assert.equal(answer.status, 201);
    await act(first.url, { userId: user, scoreIncrease: 1 });
    await first.kill();
    const again = await startPodium({
      database: first.database,
      env: { PODIUM_HTTP__PUBLIC_URL: PUBLIC },
    });
    t.after(() => again.kill());
    for (const page of ['/', `/players/${user}`, '/?q=mallory']) {
      const { body } = await visit(again, page);
      assert.match(body, /Mallory/);
      assert.doesNotMatch(body, /<img/, page);
      assert.doesNotMatch(body, /board\.example\/\?token/, page);
    }
  });
});

describe('the token of a page', () => {
  const renew = async (old) => {
    const headers = { authorization: `Bearer ${old}` };
    return JSON.parse((await visit(podium, '/page/token', { headers })).body);
  };

  it('lives no longer than that of a viewer who was given one', async () => {
    for (const role of ['viewer', 'player', 'publisher', 'admin']) {
      const user = randomUUID();
      const theirs = token({ user, role, ttlSeconds: 30 });
      const { token: renewed, expiresIn } = await renew(theirs);
      const { sub, exp, role: given } = claimsOf(renewed);
      assert.equal(given, 'viewer');
      if (role === 'viewer') {
        assert.equal(sub, user);
        assert.ok(exp <= claimsOf(theirs).exp && expiresIn <= 30, `${exp}, ${expiresIn}`);
        const again = claimsOf((await renew(renewed)).token);
        assert.ok(again.exp <= claimsOf(theirs).exp);
      } else {
        assert.notEqual(sub, user);
      }
    }
  });

  it('is renewed for a viewer whom the page made up, as often as that one asks', async () => {
    const first = JSON.parse((await visit(podium, '/page/token')).body);
    const second = await renew(first.token);
    const third = await renew(second.token);
    assert.equal(claimsOf(third.token).sub, claimsOf(first.token).sub);
    assert.equal(third.expiresIn, 3600);
  });
});

describe('the times of a token', () => {
  const taken = async (claims, server = podium) => {
    const publisher = token({ user: randomUUID(), role: 'publisher', claims });
    const path = `/api/v1/users/${randomUUID()}`;
    const body = { username: 'Ada' };
    return (await request(server.url, 'PUT', path, { token: publisher, body })).status === 201;
  };

  it('may have fractions, and differ from ours as the leeway says', async () => {
    for (const claims of [
      { iat: 1700000000.5 },
      { iat: now() + 3 },
      { nbf: now() + 3 },
      { nbf: now() + 3.5, iat: now() + 3.5, exp: now() + 60.5 },
    ]) {
      assert.ok(await taken(claims), JSON.stringify(claims));
    }
    for (const claims of [{ exp: now() }, { exp: now() - 2.5 }]) {
      assert.ok(await taken(claims), JSON.stringify(claims));
    }
    for (const claims of [{ iat: now() + 50 }, { nbf: now() + 50 }, { exp: now() - 50 }, { exp: now() - 6.5 }]) {
      assert.ok(!(await taken(claims)), JSON.stringify(claims));
    }
  });

  it('have the leeway that is configured, for tickets too', async (t) => {
    const wide = await startPodium({ env: { PODIUM_AUTH__LEEWAY: '30s' } });
    t.after(() => wide.kill());
    const none = await startPodium({ env: { PODIUM_AUTH__LEEWAY: '0s' } });
    t.after(() => none.kill());
    for (const [server, isTaken] of [[wide, true], [none, false]]) {
      const user = await newUser(server, 'Ada');
      for (const claims of [{ iat: now() + 20 }, { nbf: now() + 20 }, { exp: now() - 10 }]) {
        assert.equal(await taken(claims, server), isTaken, JSON.stringify(claims));
        const mine = ticket({ user, scoreIncrease: 1, claims });
        const options = { token: token({ user }), body: { ticket: mine } };
        const { status } = await request(server.url, 'POST', '/api/v1/actions', options);
        assert.equal(status, isTaken ? 200 : 403, JSON.stringify(claims));
      }
    }
    await assert.rejects(startPodium({ env: { PODIUM_AUTH__LEEWAY: '5m' } }), /auth\.leeway/);
  });
});

describe('a revocation', () => {
  it('ends every token that there was, and none that is signed after its answer', async () => {
    const user = await newUser(podium, 'Ada');
    const there = [-60, 0, 3].map((ahead) =>
      token({ user, role: 'publisher', claims: { iat: now() + ahead } }),
    );
    const status = async (as) => {
      const body = { username: 'Grace' };
      const path = `/api/v1/users/${randomUUID()}`;
      return (await request(podium.url, 'PUT', path, { token: as, body })).status;
    };
    for (const old of there) assert.equal(await status(old), 201);
    const path = `/api/v1/users/${user}/revoke`;
    assert.equal((await request(podium.url, 'POST', path, { token: admin() })).status, 204);
    const fresh = token({ user, role: 'publisher' });
    assert.equal(await status(fresh), 201);
    for (const old of there) assert.equal(await status(old), 401);
  });

  it('takes effect before it is answered', async () => {
    const user = await newUser(podium, 'Ada');
    const { cookies } = await signedIn('Grace');
    const old = token({ user });
    const path = `/api/v1/users/${user}/revoke`;
    let isAnswered = false;
    const revoked = request(podium.url, 'POST', path, { token: admin() });
    revoked.then(() => (isAnswered = true));
    const you = async () => youOf(await visit(podium, '/', { cookies: { [SESSION]: old } }));
    while ((await you()) !== null) assert.ok(!isAnswered);
    assert.ok(!isAnswered);
    assert.equal(youOf(await visit(podium, '/', { cookies })), 'Grace', 'nobody else is touched');
    await revoked;
  });
});
