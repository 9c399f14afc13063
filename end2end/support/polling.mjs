// A client that speaks Engine.IO by hand over polling, so that it can choose not
// to read: https://socket.io/docs/v4/engine-io-protocol/

const SEPARATOR = '\x1e';

/** A polling session that nobody has authenticated yet. */
export async function openPolling(url) {
  const endpoint = new URL('/socket.io/?EIO=4&transport=polling', url).href;
  const opening = await (await fetch(endpoint)).text();
  const { sid } = JSON.parse(opening.slice(1));
  const session = `${endpoint}&sid=${sid}`;
  const post = (packets) => fetch(session, { method: 'POST', body: packets.join(SEPARATOR) });
  const send = async (...packets) => {
    const response = await post(packets);
    if (!response.ok) throw new Error(`POST: ${response.status} ${await response.text()}`);
  };
  /** Came with the answer to CONNECT, and is still to be read. */
  let unread = [];
  /** Waits for whatever comes next: packets as they are. */
  const poll = async () => {
    if (unread.length > 0) return unread.splice(0);
    const response = await fetch(session);
    if (!response.ok) throw new Error(`GET: ${response.status} ${await response.text()}`);
    return (await response.text()).split(SEPARATOR);
  };
  return {
    url: session,
    send,
    poll,
    /** Does the server still know it? Asked by a pong, which changes nothing. */
    isOpen: async () => (await post(['3'])).ok,
    /**
     * Connects to the namespace with a token. Whoever says something to a namespace
     * before it has answered is thrown out, so this waits for the answer.
     */
    connect: async (token) => {
      await send(`40${JSON.stringify({ token })}`);
      const packets = [];
      const isAnswer = (packet) => packet.startsWith('40') || packet.startsWith('44');
      while (!packets.some(isAnswer)) packets.push(...(await poll()));
      unread = packets.filter((packet) => !isAnswer(packet));
    },
    emit: (...event) => send(`42${JSON.stringify(event)}`),
    /** Waits for whatever comes next, and answers pings: `[name, payload]` of events. */
    read: async () => {
      const packets = await poll();
      if (packets.includes('2')) await send('3');
      return packets.filter((packet) => packet.startsWith('42')).map((p) => JSON.parse(p.slice(2)));
    },
  };
}
