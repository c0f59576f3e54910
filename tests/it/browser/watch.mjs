// Pages of live streams, side by side in one browser.
//
// Asks for `own`: `pages`, each with the `name` of a live stream and a `way` of playing; tells of
// each what was seen and heard.

import { apartFromMissing, given, openPage, waitForClocks, withBrowser } from './browser.mjs';

async function watch(browser, { name, way }) {
  const faults = [];
  const page = await openPage(browser, faults);
  await page.goto(`${given.origin}/watch/${name}#${way}`);
  await page.evaluate(() => {
    const shown = () => document.querySelector('#stage > :is(video, canvas):not([hidden])');
    window.seen = window.look(shown);
    window.size = () => [shown().videoWidth ?? shown().width, shown().videoHeight ?? shown().height];
  });
  let pitch = null;
  try {
    await waitForClocks(page, 30);
    // As somebody does who wants to hear it: browsers are silent until then.
    await page.getByRole('button', { name: 'Unmute' }).click();
    await page.evaluate(() => window.listenTo(document.querySelector('#video:not([hidden])')));
    pitch = await (await page.waitForFunction(() => window.pitch())).jsonValue();
    await page.waitForFunction(() => document.querySelector('#delay').textContent);
    await waitForClocks(page, (await page.evaluate(() => window.seen.clocks.length)) + 10);
  } catch (error) {
    faults.push(`${error}`);
  }
  const told = await page.evaluate(() => {
    const { way, state } = document.querySelector('#stage').dataset;
    const delay = document.querySelector('#delay').textContent;
    return { ...window.seen, way, state, delay, size: window.size() };
  });
  await page.screenshot({ path: `${given.shots}/${name.replace('/', '-')}-${way}.png` });
  await page.context().close();
  // The API may not know it yet.
  return { faults: apartFromMissing(faults), pitch, ...told };
}

await withBrowser((browser) =>
  Promise.all(given.own.pages.map((page) => watch(browser, page))),
);
