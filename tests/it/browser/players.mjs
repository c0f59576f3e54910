// Players from npm, and a page of ten lines, play a live stream over HTTP. Each runs in a page of
// another origin than the server's, as on somebody's own web site.
//
// Asks for `own`: `name` (of the live stream) and `players`; tells of each what it showed.

import { given, openPage, packaged, waitForClocks, withBrowser } from './browser.mjs';

function playWithMpegts(video, url) {
  const { mpegts } = window;
  mpegts.LoggingControl.enableVerbose = false;
  const player = mpegts.createPlayer(
    { type: 'flv', isLive: true, url },
    { liveBufferLatencyChasing: true },
  );
  player.on(mpegts.Events.ERROR, (...error) => console.error(error.join(' ')));
  player.attachMediaElement(video);
  player.load();
}

async function playWithMediaSource(video, url) {
  const source = new MediaSource();
  video.src = URL.createObjectURL(source);
  await new Promise((opened) => source.addEventListener('sourceopen', opened));
  const reader = (await fetch(url)).body.getReader();
  let head = new Uint8Array();
  let buffer = null;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    let bytes = value;
    if (buffer === null) {
      // The profile and level are the second to the fourth byte of the box `avcC`.
      bytes = new Uint8Array([...head, ...value]);
      const found = String.fromCharCode(...bytes.subarray(0, 4096)).match(/avcC.(...)/s);
      if (!found) {
        head = bytes;
        continue;
      }
      const hex = [...found[1]].map((c) => c.charCodeAt(0).toString(16).padStart(2, '0'));
      buffer = source.addSourceBuffer(`video/mp4; codecs="avc1.${hex.join('')},mp4a.40.2"`);
    }
    buffer.appendBuffer(bytes);
    await new Promise((appended) => (buffer.onupdateend = appended));
    // The stream does not begin at 0 for somebody who joins late.
    const { buffered } = video;
    if (buffered.length && video.currentTime < buffered.start(0)) {
      video.currentTime = buffered.start(0);
    }
  }
}

function playWithHls(video, url) {
  const { Hls } = window;
  const player = new Hls({ lowLatencyMode: true });
  player.on(Hls.Events.ERROR, (_, { fatal, details }) => {
    if (fatal) console.error(details);
  });
  player.loadSource(url);
  player.attachMedia(video);
}

/** The script that a player needs, and what runs in the page with the video and the URL. */
const PLAYERS = {
  'mpegts.js': { script: 'mpegts.js/dist/mpegts.js', ending: 'flv', play: playWithMpegts },
  'mpegts.js over WebSocket': {
    script: 'mpegts.js/dist/mpegts.js',
    scheme: 'ws',
    ending: 'flv',
    play: playWithMpegts,
  },
  MSE: { ending: 'mp4', play: playWithMediaSource },
  'hls.js': { script: 'hls.js/dist/hls.min.js', ending: 'm3u8', play: playWithHls },
};

async function play(browser, name) {
  const { script, scheme = 'http', ending, play } = PLAYERS[name];
  const faults = [];
  // The server forbids its plain answers to hold scripts; this page stands for somebody else's.
  const page = await openPage(browser, faults, { bypassCSP: true });
  // `localhost` and `127.0.0.1` are two origins of one machine. The document is a real answer of
  // the machine, or Chromium would not let it look at addresses of the machine.
  await page.goto(`${given.origin.replace('127.0.0.1', 'localhost')}/healthz`);
  await page.setContent('<!doctype html><title>player</title><video autoplay></video>');
  if (script) await page.addScriptTag({ path: packaged(script) });
  const url = `${given.origin}/${given.own.name}.${ending}`.replace('http', scheme);
  await page.evaluate(
    ([play, url]) => {
      window.video = document.querySelector('video');
      window.seen = window.look(() => window.video);
      // Not waited for: it ends with the stream.
      (0, eval)(`(${play})`)(window.video, url);
    },
    [`${play}`, url],
  );
  try {
    await waitForClocks(page, 30);
    await page.waitForFunction(() => window.video.webkitAudioDecodedByteCount > 10_000);
  } catch (error) {
    faults.push(`${error}`);
  }
  const told = await page.evaluate(() => ({
    ...window.seen,
    audioBytes: window.video.webkitAudioDecodedByteCount,
    size: [window.video.videoWidth, window.video.videoHeight],
  }));
  await page.screenshot({ path: `${given.shots}/${name.replaceAll(' ', '-')}.png` });
  await page.close();
  return { name, faults, ...told };
}

await withBrowser(
  (browser) => Promise.all(given.own.players.map((name) => play(browser, name))),
  ['--autoplay-policy=no-user-gesture-required'],
);
