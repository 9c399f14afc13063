// The page is tested in Debian's Chromium, or whichever CHROMIUM names.

import { defineConfig } from '@playwright/test';

const QUIET = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export default defineConfig({
  testDir: 'end2end',
  testMatch: '*.spec.mjs',
  // They wait for most of the time, and each has what it needs to itself: three share two cores.
  workers: 3,
  fullyParallel: true,
  // Nothing takes this long; it only turns a hang into a message.
  timeout: 90_000,
  expect: { timeout: 20_000 },
  forbidOnly: true,
  reporter: 'list',
  use: {
    launchOptions: { executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: QUIET },
    trace: 'retain-on-failure',
  },
});
