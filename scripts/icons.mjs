// Draws the icons of the installed page from public/favicon.svg, in Chromium. Run it
// after a change to that file, and commit what it writes: `node scripts/icons.mjs`.
import { readFileSync } from "node:fs";

import { chromium } from "@playwright/test";

const folder = new URL("../public/", import.meta.url);
const svg = readFileSync(new URL("favicon.svg", folder), "utf8");
// Systems cut these into shapes of their own: the ground goes to the edge, and the
// mark stays in the middle.
const whole = svg.replace(' rx="8"', "").replace("<g fill", '<g transform="translate(3.2 3.2) scale(.8)" fill');
const icons = [
  ["icon-192.png", 192, svg],
  ["icon-512.png", 512, svg],
  ["icon-maskable-512.png", 512, whole],
  ["apple-touch-icon.png", 180, whole],
];

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || undefined,
  args: ["--no-sandbox", "--disable-gpu"],
});
for (const [name, size, image] of icons) {
  const page = await browser.newPage({ viewport: { width: size, height: size } });
  await page.setContent(`<style>html, body, svg { margin: 0; display: block; width: 100%; height: 100% }</style>${image}`);
  await page.screenshot({ path: new URL(name, folder).pathname, omitBackground: true });
  await page.close();
}
await browser.close();
