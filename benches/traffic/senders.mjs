// Senders who wait for each answer before they send again, by connections that they keep.

import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';

import { action, publisherToken } from '../../end2end/support/podium.mjs';

/**
 * Sends to these nodes in turn, for so many milliseconds. Resolves to how many actions
 * were acknowledged, and in how many milliseconds.
 *
 * @param {string[]} urls
 * @param {object} options
 * @param {string[]} options.users who act
 * @param {number} options.senders
 * @param {number} options.batch actions in a request; 1 is sent alone
 * @param {number} options.milliseconds
 */
export async function sendFor(urls, { users, senders, batch, milliseconds }) {
  const agent = new Agent({ keepAlive: true, maxSockets: senders });
  const authorization = `Bearer ${publisherToken()}`;
  const began = performance.now();
  let acknowledged = 0;
  let next = 0;
  const body = () => {
    const actions = Array.from({ length: batch }, () =>
      action({ userId: users[next++ % users.length], scoreIncrease: next % 100, actionId: randomUUID() }),
    );
    return JSON.stringify(batch === 1 ? actions[0] : actions);
  };
  const send = async (url) => {
    const response = await post(`${url}/api/v1/actions`, { agent, authorization }, body());
    if (response.status !== 200) throw new Error(`${response.status}: ${response.body}`);
    acknowledged += batch;
  };
  const sender = async (i) => {
    while (performance.now() - began < milliseconds) await send(urls[i % urls.length]);
  };
  await Promise.all(Array.from({ length: senders }, (_, i) => sender(i)));
  agent.destroy();
  return { acknowledged, took: performance.now() - began };
}

/** `fetch` would take most of a core. */
function post(url, { agent, authorization }, body) {
  const headers = { authorization, 'content-length': Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', agent, headers }, (response) => {
      text(response).then((body) => resolve({ status: response.statusCode, body }), reject);
    });
    sent.once('error', reject);
    sent.end(body);
  });
}
