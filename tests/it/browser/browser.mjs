// Debian's Chromium without a screen, and what scripts of this folder share.
//
// A script gets one argument, JSON: `packages` (where `npm ci` ran), `origin` (of the server's
// HTTP), `shots` (a folder for screenshots) and `own`. It prints one line of JSON.

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, join } from 'node:path';
import { installReader } from './clock.mjs';

export const given = JSON.parse(process.argv[2]);
const require = createRequire(join(given.packages, 'package.json'));

/** A file of a package, such as `hls.js/dist/hls.min.js`. */
export const packaged = (path) => join(given.packages, 'node_modules', path);

function chromium() {
  const folders = process.env.PATH.split(delimiter);
  const found = folders.map((folder) => join(folder, 'chromium')).find(existsSync);
  if (!found) throw new Error('there is no chromium; tests/run installs it');
  return found;
}

/** Runs `body` with a browser, which ends with it. */
export async function withBrowser(body, options = {}) {
  const browser = await require('playwright-core').chromium.launch({
    executablePath: chromium(),
    args: [
      '--autoplay-policy=no-user-gesture-required',
      '--disable-gpu',
      // Chromium does not run as root without it; what it opens here is ours.
      '--no-sandbox',
    ],
  });
  try {
    const context = await browser.newContext(options);
    await context.addInitScript(installReader);
    console.log(JSON.stringify(await body(context)));
  } finally {
    await browser.close();
  }
}

/** A page whose faults are gathered: exceptions, and what it wrote to the console as errors. */
export async function openPage(context, faults) {
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  page.on('pageerror', (error) => faults.push(`${error}`));
  page.on('console', (line) => {
    const { url } = line.location();
    // Chromium asks for a picture of every site by itself.
    if (line.type() === 'error' && !url.endsWith('/favicon.ico')) {
      faults.push(`${line.text()} ${url}`);
    }
  });
  return page;
}

/** Of `window.seen`, which is a `look`: waits until the clock was read this many times. */
export const waitForClocks = (page, count) =>
  page.waitForFunction((count) => window.seen?.clocks.length >= count, count);
