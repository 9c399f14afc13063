// The picture of a board, for others to show. A server that has much to do does not draw it
// in time, and says when to ask again.

import { setTimeout as sleep } from 'node:timers/promises';

/** Asks for it until it is there; `options` are those of `fetch`. */
export async function picture(address, options) {
  for (;;) {
    const answer = await fetch(address, options);
    if (answer.status !== 503) return answer;
    await answer.arrayBuffer();
    await sleep(1_000 * Number(answer.headers.get('retry-after')));
  }
}
