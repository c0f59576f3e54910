// Both pages where the API is closed to this browser.
//
// Tells what the dashboard says then, whether it has a field for a token, and which addresses the page
// of a live stream names.

import { given, openPage, withBrowser } from './browser.mjs';

await withBrowser(async (browser) => {
  // The browser's own words about each 401 and 403 are no faults here.
  const page = await openPage(browser, []);
  await page.goto(`${given.origin}/`);
  await page.waitForSelector('#ask:not([hidden])');
  const said = await page.locator('#ask').innerText();
  const hasField = await page.locator('#token').isVisible();
  await page.goto(`${given.origin}/watch/live/cam`);
  const addresses = await page.locator('#addresses').innerText();
  return { said, hasField, addresses };
});
