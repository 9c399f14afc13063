// A client that speaks Engine.IO by hand over polling, so that it can choose not
// to read: https://socket.io/docs/v4/engine-io-protocol/

const SEPARATOR = '\x1e';

/** A polling session that nobody has authenticated yet. */
export async function openPolling(url) {
  const endpoint = new URL('/socket.io/?EIO=4&transport=polling', url).href;
  const opening = await (await fetch(endpoint)).text();
  const { sid } = JSON.parse(opening.slice(1));
  const session = `${endpoint}&sid=${sid}`;
  const send = async (...packets) => {
    const response = await fetch(session, { method: 'POST', body: packets.join(SEPARATOR) });
    if (!response.ok) throw new Error(`POST: ${response.status}`);
  };
  return {
    send,
    /** Connects to the namespace with a token. */
    connect: (token) => send(`40${JSON.stringify({ token })}`),
    emit: (...event) => send(`42${JSON.stringify(event)}`),
    /** Waits for whatever comes next, and answers pings: `[name, payload]` of events. */
    read: async () => {
      const response = await fetch(session);
      if (!response.ok) throw new Error(`GET: ${response.status}`);
      const packets = (await response.text()).split(SEPARATOR);
      if (packets.includes('2')) await send('3');
      return packets.filter((packet) => packet.startsWith('42')).map((p) => JSON.parse(p.slice(2)));
    },
  };
}
