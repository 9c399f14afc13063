// A page on any other site can have its visitors' browsers ask the hub for pictures,
// follow links to it and open sockets. It must not use up what their address may do.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';

import { ATTACKER, underAttack } from '../support/attack.mjs';
import { token } from '../support/podium.mjs';
import { statusOf, upgradeHeaders } from '../support/raw.mjs';
import { connect, roundTrip } from '../support/socket.mjs';
import { podiumForTest } from '../support/suite.mjs';

/** More than twice the 100 connections that an address may open. */
const REQUESTS = 210;
const AT_ONCE = 10;

const POLLING = '/socket.io/?EIO=4&transport=polling';
const WEBSOCKET = '/socket.io/?EIO=4&transport=websocket';

const from = { localAddress: ATTACKER };

const fetched = (site, mode, destination) => [
  ['Sec-Fetch-Site', site],
  ['Sec-Fetch-Mode', mode],
  ['Sec-Fetch-Dest', destination],
];
const picture = fetched('cross-site', 'no-cors', 'image');
const EVIL = ['Origin', 'https://evil.example'];

/** What is asked again and again, and the statuses that are right. */
const attacks = {
  'pictures of another site': { path: '/socket.io/?', headers: picture, right: [403] },
  'pictures that would open a session': { path: `${POLLING}&t=`, headers: picture, right: [403] },
  'links of another site': {
    path: `${POLLING}&t=`,
    headers: fetched('cross-site', 'navigate', 'document'),
    right: [403],
  },
  'frames of another site': {
    path: `${POLLING}&t=`,
    headers: fetched('cross-site', 'navigate', 'iframe'),
    right: [403],
  },
  'scripts of a page that is not named': {
    path: `${POLLING}&t=`,
    headers: [EVIL, ...fetched('cross-site', 'cors', 'empty')],
    right: [403],
  },
  'sockets of a page that is not named': {
    path: `${WEBSOCKET}&t=`,
    headers: [EVIL, ...upgradeHeaders()],
    right: [403],
  },
  'requests that open no session': { path: '/socket.io/?', headers: [], right: [400] },
  'requests of another version': { path: '/socket.io/?EIO=3&transport=polling&t=', headers: [], right: [400] },
  'requests of sessions that there are not': { path: `${POLLING}&sid=`, headers: [], right: [400] },
};

describe('an address', () => {
  for (const [name, { path, headers, right }] of Object.entries(attacks)) {
    it(`is not locked out by ${name}`, (t) =>
      underAttack(t, {}, async ({ podium, problem }) => {
        const statuses = new Map();
        let next = 0;
        const ask = async () => {
          while (next < REQUESTS) {
            const status = await statusOf(podium.url, 'GET', `${path}${next++}`, headers, from);
            statuses.set(status, (statuses.get(status) ?? 0) + 1);
          }
        };
        await Promise.all(Array.from({ length: AT_ONCE }, ask));
        const wrong = [...statuses].filter(([status]) => !right.includes(status));
        for (const [status, count] of wrong) problem(`${count} were answered ${status}`);
        try {
          const viewer = token({ user: randomUUID(), role: 'viewer' });
          await roundTrip(await connect(podium.url, { token: viewer, ...from }));
        } catch (error) {
          problem(error.message);
        }
      }));
  }
});

describe('a page', () => {
  const origin = 'https://game.example';
  const pages = {
    'of its own may connect': fetched('same-origin', 'cors', 'empty'),
    'that is named may connect': [['Origin', origin], ...fetched('cross-site', 'cors', 'empty')],
  };
  for (const [name, headers] of Object.entries(pages)) {
    it(name, async (t) => {
      const podium = await podiumForTest(t, { env: { FRONTEND_URLS: origin } });
      assert.equal(await statusOf(podium.url, 'GET', POLLING, headers), 200);
    });
  }
});
