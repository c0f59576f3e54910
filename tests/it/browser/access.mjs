// Both pages for everybody: by keyboard, with a screen reader, on a phone, in light and in dark.
//
// Asks for `own`: `name` of a live stream that plays, and `missing`, a name that nobody publishes.
// Tells what axe-core objects to, what is wider than its screen, and what the keyboard does.

import { readFileSync } from 'node:fs';
import { apartFromMissing, given, openPage, packaged, withBrowser } from './browser.mjs';

const AXE = readFileSync(packaged('axe-core/axe.min.js'), 'utf8');
const DESK = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };
const SCREENS = {
  'light': { colorScheme: 'light', size: DESK },
  'dark': { colorScheme: 'dark', size: DESK },
  'phone-light': { colorScheme: 'light', size: PHONE },
  'phone-dark': { colorScheme: 'dark', size: PHONE },
};

/** Each page, and what is there once it is as it stays. */
const PAGES = {
  dashboard: { path: '/', ready: '.has-picture .bitrate' },
  player: { path: `/watch/${given.own.name}`, ready: '[data-state=playing] ~ .about > div:nth-child(6)' },
  message: { path: `/watch/${given.own.missing}`, ready: '[data-state=waiting]' },
};

async function open(browser, faults, { path, ready }) {
  const page = await openPage(browser, faults);
  await page.goto(`${given.origin}${path}`);
  await page.waitForSelector(ready);
  return page;
}

/** What is wrong with a page on any screen. */
async function inspect(browser, name) {
  const faults = [];
  const page = await open(browser, faults, PAGES[name]);
  await page.evaluate(AXE);
  for (const [screen, { colorScheme, size }] of Object.entries(SCREENS)) {
    await page.setViewportSize(size);
    await page.emulateMedia({ colorScheme });
    // Contrast is that of the colours when they have stopped to change.
    await page.waitForFunction(() => document.getAnimations().length === 0);
    const { violations, passes } = await page.evaluate(() => window.axe.run());
    if (passes.length === 0) faults.push(`${screen}: nothing was inspected`);
    for (const { id, nodes } of violations) {
      const say = ({ html, any }) => `${screen}: ${id}: ${html} ${any.map((one) => one.message)}`;
      faults.push(...nodes.map(say));
    }
    const isWide = await page.evaluate(() => {
      const { scrollWidth, clientWidth } = document.documentElement;
      return scrollWidth > clientWidth;
    });
    if (isWide) faults.push(`${screen}: it scrolls sideways`);
    await page.screenshot({ path: `${given.shots}/${name}-${screen}.png`, fullPage: true });
  }
  await page.context().close();
  return apartFromMissing(faults).map((fault) => `${name}, ${fault}`);
}

/** What somebody hears who goes through a page with the key Tab, until it begins again. */
async function tabThrough(page) {
  const heard = [];
  for (;;) {
    await page.keyboard.press('Tab');
    const focused = await page.evaluate(() => {
      const { activeElement } = document;
      const outline = getComputedStyle(activeElement).outlineStyle;
      const tile = activeElement.closest('.tile');
      const isSeen = outline !== 'none' || (tile && getComputedStyle(tile).outlineStyle !== 'none');
      const name = activeElement.labels?.[0]?.textContent ?? activeElement.textContent.trim();
      return activeElement === document.body ? null : `${name}${isSeen ? '' : ', unseen'}`;
    });
    if (!focused) return heard;
    heard.push(focused);
  }
}

async function useKeyboard(browser) {
  const faults = [];
  const page = await open(browser, faults, PAGES.dashboard);
  const dashboard = await tabThrough(page);
  const tree = { dashboard: await page.locator('main').ariaSnapshot() };

  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  const skipsTo = await page.evaluate(() => document.activeElement.id);
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.waitForURL(`**${PAGES.player.path}`);
  await page.waitForSelector(PAGES.player.ready);
  const player = await tabThrough(page);
  tree.player = await page.locator('main').ariaSnapshot();

  const done = [];
  const see = async (deed, what) => {
    await page.waitForFunction(what);
    done.push(deed);
  };
  await page.keyboard.press('m');
  await see('M is heard', () => document.querySelector('#sound').textContent.trim() === 'Mute');
  await page.getByRole('slider', { name: 'Volume' }).press('ArrowLeft');
  await see('the volume goes down', () => document.querySelector('#volume').value === '99');
  await page.getByRole('button', { name: 'Mute' }).press('Space');
  await see('Space mutes', () => document.querySelector('#sound').textContent.trim() === 'Unmute');
  await page.getByRole('combobox', { name: 'Way of playing' }).press('M');
  await see('M in the list is MSE', () => {
    const { way, state } = document.querySelector('#stage').dataset;
    return way === 'mse' && state === 'playing';
  });
  await page.getByRole('button', { name: 'Full screen' }).press('Enter');
  await see('the screen is full', () => document.fullscreenElement?.id === 'stage');
  await page.keyboard.press('f');
  await see('F leaves the full screen', () => !document.fullscreenElement);
  await page.context().close();
  return { faults, dashboard, player, skipsTo, done, tree };
}

await withBrowser(async (browser) => {
  const inspections = Object.keys(PAGES).map((name) => inspect(browser, name));
  const [keyboard, ...faults] = await Promise.all([useKeyboard(browser), ...inspections]);
  return { faults: faults.flat(), keyboard };
});
