// Servers that live as long as the tests that use them.

import { after, before } from 'node:test';

import { startPodium } from './podium.mjs';
import { disconnectAll } from './socket.mjs';

/** One server for all tests of a `describe`; its fields are there once they run. */
export function podiumForSuite(options) {
  const podium = {};
  before(async () => Object.assign(podium, await startPodium(options)));
  after(async () => {
    if (podium.url === undefined) return;
    disconnectAll(podium.url);
    await podium.stop();
  });
  return podium;
}

/** A server with an empty board for one test, `t` being its context. */
export async function podiumForTest(t, options) {
  const podium = await startPodium(options);
  t.after(async () => {
    disconnectAll(podium.url);
    await podium.stop();
  });
  return podium;
}
