// What the benchmarks share: waves, waits, numbers, and tables of them.

import { setTimeout as sleep } from 'node:timers/promises';

/** Runs `start` for 0 … count − 1, so many at once; resolves to what they gave. */
export async function inWaves(count, atOnce, start) {
  const results = Array(count);
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const i = next++;
      results[i] = await start(i);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, worker));
  return results;
}

/** Waits until the condition holds; resolves to whether it did within the time. */
export async function until(condition, milliseconds) {
  const end = performance.now() + milliseconds;
  while (!condition()) {
    if (performance.now() > end) return false;
    await sleep(20);
  }
  return true;
}

/** The value below which this share of the sample lies; `sample` gets sorted. */
export function percentile(sample, share) {
  sample.sort((a, b) => a - b);
  return sample[Math.min(sample.length - 1, Math.floor(sample.length * share))];
}

/** Prints rows of cells in columns, the first row being the heads. */
export function printTable(rows) {
  const cells = rows.map((row) => row.map((cell) => String(cell ?? '–')));
  const widths = cells[0].map((_, column) => Math.max(...cells.map((row) => row[column].length)));
  for (const row of cells) {
    const padded = row.map((cell, i) => (i ? cell.padStart(widths[i]) : cell.padEnd(widths[i])));
    console.log(padded.join('  '));
  }
}

export const milliseconds = (value) => (value === undefined ? undefined : `${value.toFixed(0)} ms`);

export const seconds = (value) =>
  value === undefined ? undefined : `${(value / 1000).toFixed(1)} s`;

/** The last line of a benchmark, and its exit code. */
export function verdict(problems) {
  console.log(problems.length ? `FAILED: ${problems.join('; ')}` : 'PASSED');
  process.exitCode = problems.length ? 1 : 0;
}
