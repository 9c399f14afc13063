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
  // Two cores run the server, the browser and the test.
  workers: 1,
  forbidOnly: true,
  reporter: 'list',
  use: {
    launchOptions: { executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: QUIET },
    trace: 'retain-on-failure',
  },
});
