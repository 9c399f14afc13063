// What a process has used, as Linux tells it.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** Milliseconds of processor time that it has taken, by all its threads. */
export function cpu(pid) {
  // The name, in parentheses, may hold blanks.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  const [user, system] = fields.slice(11, 13).map(Number);
  return ((user + system) / TICKS_PER_SECOND) * 1000;
}

/** What these processes take while `run` runs, in milliseconds; and what that gave. */
export async function cpuOf(pids, run) {
  const total = () => pids.reduce((sum, pid) => sum + cpu(pid), 0);
  const before = total();
  const result = await run();
  return { used: total() - before, result };
}
