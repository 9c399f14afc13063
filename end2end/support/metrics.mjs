// What the server says of itself to operators.

/**
 * The values of `/metrics` by name and labels, as they stand there.
 *
 * @returns {Promise<Record<string, number>>}
 */
export async function metricsOf(url) {
  const text = await (await fetch(new URL('/metrics', url))).text();
  const values = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(
    values.map((line) => {
      const end = line.lastIndexOf(' ');
      return [line.slice(0, end), Number(line.slice(end + 1))];
    }),
  );
}

/** How often somebody was refused for this reason. */
export async function refusedFor(url, reason) {
  return (await metricsOf(url))[`podium_refused_total{reason="${reason}"}`];
}
