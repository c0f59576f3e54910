// Debian's Chromium without a screen, and what scripts of this folder share.
//
// A script gets one argument, JSON: `packages` (where `npm ci` ran), `origin` (of the server's
// HTTP), `shots` (a folder for screenshots) and `own`. It prints one line of JSON.

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, join } from 'node:path';
import { installReader } from './clock.mjs';
import { installEars } from './ears.mjs';

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

/** Runs `body` with a browser, which ends with it; prints what it returns. */
export async function withBrowser(body, flags = []) {
  const browser = await require('playwright-core').chromium.launch({
    executablePath: chromium(),
    // Chromium does not run as root with its sandbox; what it opens here is ours.
    args: ['--disable-gpu', '--no-sandbox', ...flags],
    // A script that is told to end has something to say yet.
    handleSIGTERM: false,
  });
  try {
    console.log(JSON.stringify(await body(browser)));
  } finally {
    await browser.close();
  }
}

/** Small, since all pages are drawn by the processor; with the controls of a desk. */
const VIEWPORT = { width: 800, height: 600 };

/**
 * A page in a window of its own, since one behind another is not drawn. Its faults are gathered:
 * exceptions, what was written to the console as an error, and what the content security policy
 * forbids, which is written there too.
 */
export async function openPage(browser, faults, options = {}) {
  const context = await browser.newContext({ viewport: VIEWPORT, ...options });
  await context.addInitScript(installReader);
  await context.addInitScript(installEars);
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
      console.error(`forbidden: ${violatedDirective} ${blockedURI}`);
    });
  });
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

/** What Chromium says of a server that is gone, and of what is not there. */
const NOT_THERE = /^Failed to load resource|^WebSocket connection to/;

/** Without those that are no faults where a server goes away or a live stream is missing. */
export const apartFromMissing = (faults) => faults.filter((fault) => !NOT_THERE.test(fault));

/** Of `window.seen`, which is a `look`: waits until the clock was read this many times. */
export const waitForClocks = (page, count) =>
  page.waitForFunction((count) => window.seen?.clocks.length >= count, count);
