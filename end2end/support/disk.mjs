// Disks that a server has for itself, in a namespace of its own, and that end with it.

import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { onExitOfTests } from './podium.mjs';

/**
 * What `startPodium` is to be called with for a server whose database is on a disk of its
 * own: `{binary, database}`, and where the disk is, `folder`.
 *
 * @param {object} options
 * @param {string} options.binary the program that is run there
 * @param {string} options.mount a command of the shell that mounts the disk at `$0`
 * @param {string} options.namespaces as of `unshare`
 */
export function ownDisk({ binary, mount, namespaces }) {
  const folder = mkdtempSync(join(tmpdir(), 'podium-disk-'));
  const script = `${folder}.sh`;
  onExitOfTests(() => {
    rmSync(folder, { recursive: true, force: true });
    rmSync(script, { force: true });
  });
  // Each becomes the next, in one process: it ends when the server ends.
  const lines = ['#!/bin/sh', `exec unshare ${namespaces} sh -c '${mount} && exec "$@"' '${folder}' '${binary}' "$@"`];
  writeFileSync(script, `${lines.join('\n')}\n`);
  chmodSync(script, 0o755);
  return { binary: script, folder, database: join(folder, 'podium.db') };
}

/** A disk of a few megabytes, which anybody may have. */
export function smallDisk(binary) {
  return ownDisk({
    binary,
    mount: 'mount -t tmpfs -o size=6m none "$0"',
    namespaces: '--user --map-root-user --mount',
  });
}

/** Where the disk of a running server can be reached from here. */
export const seenFromHere = (podium, { folder }) => `/proc/${podium.process.pid}/root${folder}`;

/** Fills a disk to the last byte; gives room back when it is called again. */
export function fill(place) {
  const filler = `${place}/filler`;
  for (let size = 1 << 20; size > 0; size >>= 1) {
    try {
      for (;;) writeFileSync(filler, Buffer.alloc(size), { flag: 'a' });
    } catch (error) {
      assert.equal(error.code, 'ENOSPC');
    }
  }
  return () => rmSync(filler);
}
