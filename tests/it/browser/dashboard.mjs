// The dashboard, as soon as every tile has its picture and its numbers.
//
// Asks for `own`: `count` (of live streams) and `shot` (the name of the screenshot); tells of each
// tile what it says, and the clocks of its picture, which is renewed every few seconds.

import { given, openPage, withBrowser } from './browser.mjs';

function read() {
  return [...document.querySelectorAll('.tile')].map((tile) => {
    const say = (part) => tile.querySelector(part).innerText;
    return {
      name: say('.name'),
      link: tile.querySelector('.name').getAttribute('href'),
      state: say('.state'),
      viewers: say('.viewers'),
      media: say('.media'),
      bitrate: say('.bitrate'),
      health: say('.health'),
      // Each second is a corner of the line.
      seconds: tile.querySelector('.line').getAttribute('d').split('L').length,
      clock: window.clockOf(tile.querySelector('canvas')),
    };
  });
}

await withBrowser(async (browser) => {
  const faults = [];
  const page = await openPage(browser, faults, { viewport: { width: 1280, height: 900 } });
  await page.goto(`${given.origin}/`);
  const isThere = (count) => {
    const tiles = [...document.querySelectorAll('.tile')];
    // Those that are out of sight get theirs when somebody comes to look.
    tiles.find((tile) => !tile.classList.contains('has-picture'))?.scrollIntoView();
    const isReady = (tile) => tile.matches('.has-picture') && /\d\sfps/.test(tile.innerText);
    return tiles.length === count && tiles.every(isReady);
  };
  await page.waitForFunction(isThere, given.own.count);
  await page.evaluate(() => scrollTo(0, 0));
  const before = await page.evaluate(read);
  await page.waitForFunction(
    (clock) => window.clockOf(document.querySelector('.tile canvas')) !== clock,
    before[0].clock,
  );
  const after = await page.evaluate(read);
  await page.screenshot({ path: `${given.shots}/${given.own.shot}.png`, fullPage: true });
  const summary = await page.locator('#summary').innerText();
  return { faults, before, after, summary };
});
