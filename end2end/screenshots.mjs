// Pictures of the page in every state; see scripts/screenshots.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { chromium } from '@playwright/test';

import config from '../playwright.config.mjs';
import { Stage } from './support/stage.mjs';
import { states } from './support/states.mjs';

const FOLDER = fileURLToPath(new URL('../screenshots', import.meta.url));
const SHEETS = join(FOLDER, 'sheets');

const SCHEMES = ['light', 'dark'];
const SIZES = [
  { width: 320, height: 640 },
  { width: 768, height: 1024 },
  { width: 1440, height: 900 },
  { width: 3840, height: 2160 },
];

/** As many as there are cores, on the smallest machine that builds Podium. */
const AT_ONCE = 2;

const file = (state, scheme, { width }) => `${state.name}-${scheme}-${width}.png`;

/** One picture; adds what is wrong with it to `problems`, and else to `notes`. */
async function shoot(stage, state, colorScheme, viewport, { problems, notes }) {
  const name = file(state, colorScheme, viewport);
  const { page, missing, complaints, close } = await stage.open(state, { colorScheme, viewport });
  try {
    const fullPage = state.fullPage !== false;
    // What sticks to the lower edge is then at its place, and not in the middle.
    if (fullPage) await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
    await page.screenshot({ path: join(FOLDER, name), fullPage, animations: 'disabled' });
    // Nobody should have to scroll in two directions (WCAG 1.4.10).
    const excess = await page.evaluate(() => {
      const { scrollWidth, clientWidth } = document.documentElement;
      return scrollWidth - clientWidth;
    });
    if (excess > 0) missing.push(`it is ${excess} px too wide`);
  } finally {
    await close();
  }
  for (const text of new Set(missing)) notes.push(`${name}: ${text}`);
  for (const text of new Set(complaints)) problems.push(`${name}: ${text}`);
}

const text = (words) => words.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

/** All pictures of one state side by side, each cut off where it gets long. */
function sheet(state) {
  const figures = SCHEMES.flatMap((scheme) =>
    SIZES.map((size) => {
      const address = `../${file(state, scheme, size)}`;
      return `<figure style="--width: ${size.width}"><a href="${address}"><img src="${address}"></a>
        <figcaption>${scheme} ${size.width}</figcaption></figure>`;
    }),
  );
  return `<!doctype html>
    <meta charset="utf-8">
    <title>${text(state.name)}</title>
    <style>
      body { margin: 12px; font: 14px sans-serif; background: #888; width: 1880px; }
      main { display: grid; grid-template-columns: 1.6fr 3fr 4.2fr 5fr; gap: 12px; }
      h1 { margin: 0 0 8px; font-size: 18px; }
      figure { margin: 0; }
      a { display: block; max-height: 760px; overflow: hidden; }
      img { display: block; width: 100%; }
    </style>
    <h1>${text(state.name)}</h1>
    <main>${figures.join('')}</main>`;
}

async function writeSheet(browser, state) {
  const path = join(SHEETS, `${state.name}.html`);
  writeFileSync(path, sheet(state));
  const page = await browser.newPage({ viewport: { width: 1904, height: 800 } });
  await page.goto(pathToFileURL(path).href);
  await page.screenshot({ path: path.replace('.html', '.png'), fullPage: true });
  await page.close();
}

/** One state, in all of its pictures. A state that fails does not keep others from theirs. */
async function shootState(browser, stage, state, report) {
  const started = performance.now();
  try {
    for (const scheme of SCHEMES) {
      for (const size of SIZES) await shoot(stage, state, scheme, size, report);
    }
    await writeSheet(browser, state);
  } catch (error) {
    report.problems.push(`${state.name}: ${error.message}`);
  }
  console.log(`${state.name} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
}

const wanted = new RegExp(process.argv[2] ?? '');
const chosen = states.filter(({ name }) => wanted.test(name));
if (chosen.length === 0) {
  console.error(`no state matches ${wanted}: ${states.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}

mkdirSync(SHEETS, { recursive: true });
const browser = await chromium.launch(config.use.launchOptions);
const stage = new Stage(browser);
const report = { problems: [], notes: [] };
const waiting = [...chosen];
const worker = async () => {
  for (let state; (state = waiting.shift()); ) await shootState(browser, stage, state, report);
};
try {
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
} finally {
  await browser.close();
  await stage.end();
}

const section = (title, list) => list.length && console.log(`\n${title}\n  ${list.join('\n  ')}`);
section('To look at:', report.notes);
section('What went wrong:', report.problems);
console.log(`\n${chosen.length} states in ${FOLDER}`);
process.exitCode = report.problems.length > 0 ? 1 : 0;
