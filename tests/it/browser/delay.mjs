// Measures the page of a live stream: from its opening to the first picture, and from the drawing
// of a picture, before it is encoded, to the screen. One page at a time.
//
// Asks for `own`: `name`, `openings`, `pictures` (how many are looked at), and `cases`, each with
// a `way` and `sound`; tells for each case milliseconds, in order.

import { given, openPage, waitForClocks, withBrowser } from './browser.mjs';

/** What a page shows while it finds its pace says nothing of what follows. */
const SETTLING_MS = 5000;

async function open(browser, faults, way) {
  const page = await openPage(browser, faults);
  // Waits for nothing that the first picture does not wait for.
  await page.addInitScript(() => {
    const shown = () => document.querySelector('#stage > :is(video, canvas):not([hidden])');
    addEventListener('DOMContentLoaded', () => (window.seen = window.look(shown)));
  });
  await page.goto(`${given.origin}/watch/${given.own.name}#${way}`);
  await waitForClocks(page, 1);
  return page;
}

async function measure(browser, { way, sound }) {
  const faults = [];
  const openings = [];
  for (let count = 0; count < given.own.openings; count++) {
    const page = await open(browser, faults, way);
    openings.push(await page.evaluate(() => window.seen.firstAt));
    await page.context().close();
  }
  const page = await open(browser, faults, way);
  if (sound) await page.getByRole('button', { name: 'Unmute' }).click();
  await page.waitForTimeout(SETTLING_MS);
  await page.evaluate(() => {
    window.seen.delays = [];
    window.seen.clocks = [];
  });
  await waitForClocks(page, given.own.pictures);
  const { delays } = await page.evaluate(() => window.seen);
  await page.context().close();
  if (faults.length > 0) throw new Error(faults.join('\n'));
  const inOrder = (times) => times.sort((a, b) => a - b);
  return { way, sound, openings: inOrder(openings), delays: inOrder(delays) };
}

await withBrowser(async (browser) => {
  const measured = [];
  for (const one of given.own.cases) measured.push(await measure(browser, one));
  return measured;
});
