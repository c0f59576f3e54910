// Opens pages and tells what is on them, a line of JSON whenever that changes, until SIGTERM.
//
// Asks for `own`: `pages`, the path of each under a name. A line has `page` (its name), `at`
// (milliseconds, as the clock of the picture has them), `loads` (how often it was loaded), `text`
// (all that can be read), and of a picture `clock`. The last line is of `faults`.

import { apartFromMissing, given, openPage, withBrowser } from './browser.mjs';

const TURN_MS = 100;

function look() {
  const picture = document.querySelector('#stage > :is(video, canvas):not([hidden])');
  const isPlaying = document.querySelector('#stage')?.dataset.state === 'playing';
  return {
    text: document.querySelector('main').innerText,
    clock: isPlaying ? window.clockOf(picture) : null,
  };
}

let isOver = false;
process.on('SIGTERM', () => (isOver = true));

async function follow(browser, name, path) {
  const faults = [];
  const page = await openPage(browser, faults);
  let loads = 0;
  page.on('load', () => (loads += 1));
  // All tiles are in sight, without which they have no pictures.
  await page.setViewportSize({ width: 800, height: 1200 });
  await page.goto(`${given.origin}${path}`);
  for (let before = ''; !isOver; ) {
    const seen = JSON.stringify({ page: name, loads, ...(await page.evaluate(look)) });
    if (seen !== before) {
      before = seen;
      console.log(JSON.stringify({ at: Date.now() % 2 ** 24, ...JSON.parse(seen) }));
    }
    await page.waitForTimeout(TURN_MS);
  }
  await page.screenshot({ path: `${given.shots}/follow-${name}.png` });
  return apartFromMissing(faults);
}

await withBrowser(async (browser) => {
  const pages = Object.entries(given.own.pages);
  const faults = await Promise.all(pages.map(([name, path]) => follow(browser, name, path)));
  return { faults: faults.flat() };
});
