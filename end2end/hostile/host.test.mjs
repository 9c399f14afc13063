// RFC 9112, section 3.2: a request of HTTP/1.1 without Host, or with more than one, is
// answered 400. What is behind proxies may otherwise take another host than they do.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { head, openRaw, upgradeHeaders } from '../support/raw.mjs';
import { podiumForSuite } from '../support/suite.mjs';

const podium = podiumForSuite();

const paths = {
  'a page': ['/', []],
  'a route': ['/api/v1/leaderboard', []],
  health: ['/healthz', []],
  'a file': ['/favicon.svg', []],
  'a session': ['/socket.io/?EIO=4&transport=polling', []],
  'a WebSocket': ['/socket.io/?EIO=4&transport=websocket', upgradeHeaders()],
};

const hosts = {
  none: [],
  two: [['Host', 'board.example'], ['Host', 'evil.example']],
  'the same twice': [['Host', 'board.example'], ['Host', 'board.example']],
  'two in one': [['Host', 'board.example, evil.example']],
};

async function statusWith(path, headers) {
  const connection = await openRaw(podium.url);
  connection.write(head('GET', path, headers));
  const status = await connection.status();
  connection.drop();
  return status;
}

describe('a request', () => {
  for (const [what, [path, headers]] of Object.entries(paths)) {
    for (const [name, host] of Object.entries(hosts)) {
      it(`for ${what} with ${name} for a host gets 400`, async () => {
        assert.equal(await statusWith(path, [...host, ...headers]), 400);
      });
    }
    it(`for ${what} with one host is answered`, async () => {
      const status = await statusWith(path, [['Host', 'board.example'], ...headers]);
      assert.ok([101, 200].includes(status), String(status));
    });
  }
});
