// What memory a process holds, as Linux tells it.

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const SAMPLE_EVERY_MS = 50;

/** Bytes of memory that it holds now, or none if it has ended. */
export function rss(pid) {
  try {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return Number(kilobytes ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** Notes the most that it holds at a time, until it is stopped. */
export function watchMemory(pid) {
  const watch = { peak: rss(pid), stop: () => clearInterval(timer) };
  const timer = setInterval(() => (watch.peak = Math.max(watch.peak, rss(pid))), SAMPLE_EVERY_MS);
  return watch;
}

/** Waits until it holds no more than this; resolves to whether it did within the time. */
export async function memoryFalls(pid, bytes, milliseconds) {
  const end = performance.now() + milliseconds;
  while (rss(pid) > bytes) {
    if (performance.now() > end) return false;
    await sleep(SAMPLE_EVERY_MS);
  }
  return true;
}
