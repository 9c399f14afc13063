// What organisers see on the page while nothing can be stored, and what others see.

import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { fill, seenFromHere, smallDisk } from './support/disk.mjs';
import { expect, live, players, test as base } from './support/page.mjs';
import { action, postActions, startPodium, token } from './support/podium.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PODIUM = process.env.PODIUM_BIN ?? join(ROOT, 'target/release/podium');

const test = base.extend({
  disk: async ({}, use) => use(smallDisk(PODIUM)),
  podium: async ({ disk }, use) => {
    const podium = await startPodium(disk);
    await use(podium);
    await podium.stop();
  },
});

test('admins see why nothing can be stored, until it can', async ({ podium, disk, open }) => {
  const { Ada } = await players(podium, { Ada: 30, Ben: 20 });
  const admin = await open({ path: `/?token=${token({ user: randomUUID(), role: 'admin' })}` });
  const viewer = await open();
  await Promise.all([admin, viewer].map(live));
  const makeRoom = fill(seenFromHere(podium, disk));
  const one = () => postActions(podium, action({ userId: Ada, scoreIncrease: 1 }));
  while ((await one()).status === 200);

  const why = (page) => page.getByText(/Nothing can be stored, because the disk is full/);
  const away = (page) => page.getByText(/New results cannot be taken/);
  await expect(why(admin)).toBeVisible({ timeout: 20_000 });
  await expect(away(viewer)).toBeVisible();
  await expect(why(viewer)).toHaveCount(0);
  await expect(viewer.locator('ol.board > li').first()).toContainText('Ada');
  // It stays for as long as it lasts, also for those who come later.
  const later = await open({ path: `/?token=${token({ user: randomUUID(), role: 'admin' })}` });
  await expect(why(later)).toBeVisible();
  if (process.env.SCREENSHOTS) {
    for (const [name, page] of Object.entries({ admin, viewer })) {
      for (const width of [1280, 320]) {
        await page.setViewportSize({ width, height: 700 });
        await page.screenshot({ path: join(process.env.SCREENSHOTS, `trouble-${name}-${width}.png`) });
      }
    }
  }

  makeRoom();
  await expect(admin.getByText('The store can write again')).toBeVisible({ timeout: 20_000 });
  for (const page of [admin, later]) await expect(why(page)).toHaveCount(0);
  await expect(away(viewer)).toHaveCount(0);
  expect((await one()).status).toBe(200);
});
