// Live streams whose names are made to break pages: from the dashboard to their players.
//
// Asks for `own`: `count` (of live streams). Tells of each the name on its tile, that and the title
// of its page, both ways of playing that showed it, and what a page says where nobody publishes.

import { apartFromMissing, given, openPage, waitForClocks, withBrowser } from './browser.mjs';

async function open(browser, faults, path) {
  const page = await openPage(browser, faults);
  page.on('dialog', (dialog) => {
    faults.push(`a dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  await page.goto(`${given.origin}${path}`);
  return page;
}

/** Elements that a name has made would stand among the page's own. */
async function count(page, faults) {
  const made = await page.evaluate(() => document.querySelectorAll('script, b, img').length);
  // The script of the page, and the icon.
  if (made !== 2) faults.push(`${made - 2} elements too many`);
}

async function watch(browser, faults, link) {
  const page = await open(browser, faults, link);
  const ways = [];
  for (const way of ['webcodecs', 'mse']) {
    await page.selectOption('#way', way);
    await page.waitForSelector(`[data-way=${way}][data-state=playing]`);
    await page.evaluate(() => {
      window.seen = window.look(() => document.querySelector('#stage > :is(video, canvas):not([hidden])'));
    });
    await waitForClocks(page, 2);
    ways.push(way);
  }
  // What the API knows is there too.
  await page.waitForSelector('#health:not([hidden])');
  await count(page, faults);
  const told = { ways, heading: await page.locator('#name').innerText(), title: await page.title() };
  await page.screenshot({ path: `${given.shots}/name-${told.heading.length}.png` });
  await page.context().close();
  return told;
}

async function miss(browser, faults, link) {
  const page = await open(browser, faults, `${link}-missing`);
  await page.waitForSelector('[data-state=waiting]');
  await count(page, faults);
  const told = {
    missing: await page.locator('#name').innerText(),
    message: await page.locator('#message').innerText(),
  };
  await page.context().close();
  return told;
}

await withBrowser(async (browser) => {
  const faults = [];
  const page = await open(browser, faults, '/');
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.waitForFunction(
    (count) => document.querySelectorAll('.tile.has-picture').length === count,
    given.own.count,
  );
  await count(page, faults);
  await page.screenshot({ path: `${given.shots}/names.png`, fullPage: true });
  const links = await page.locator('.tile .name').all();
  const streams = [];
  for (const link of links) {
    const path = await link.getAttribute('href');
    const shown = await Promise.all([watch(browser, faults, path), miss(browser, faults, path)]);
    streams.push(Object.assign({ tile: await link.innerText() }, ...shown));
  }
  return { faults: apartFromMissing(faults), streams };
});
