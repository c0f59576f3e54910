// The clock that is drawn into the test picture, and how it is read back.
//
// The upper half of a 320 x 180 picture holds 16 x 2 blocks, white for 1: 24 bits of the wall
// clock in milliseconds, the highest first, then 8 bits that prove them. Below is a moving
// gradient, for people who look at a screenshot.

export const WIDTH = 320;
export const HEIGHT = 180;
export const FRAMES_PER_SECOND = 25;

const check = (bits) => ((bits >> 16) ^ (bits >> 8) ^ bits ^ 0xa5) & 0xff;

/** One grey picture, a byte to a pixel. */
export function draw(milliseconds, frame) {
  const pixels = Buffer.alloc(WIDTH * HEIGHT);
  const bits = milliseconds % 2 ** 24;
  const code = bits * 256 + check(bits);
  for (let row = 0; row < 2; row++) {
    const line = Buffer.alloc(WIDTH);
    for (let column = 0; column < 16; column++) {
      const isSet = Math.floor(code / 2 ** (31 - row * 16 - column)) % 2 === 1;
      line.fill(isSet ? 235 : 16, column * 20, column * 20 + 20);
    }
    for (let y = row * 45; y < row * 45 + 45; y++) line.copy(pixels, y * WIDTH);
  }
  const gradient = Buffer.from(Array.from({ length: WIDTH + 256 }, (_, at) => at & 255));
  for (let y = HEIGHT / 2; y < HEIGHT; y++) {
    const from = (y + frame * 2) & 255;
    gradient.copy(pixels, y * WIDTH, from, from + WIDTH);
  }
  return pixels;
}

/**
 * Runs in the page, where it stands alone: `window.clockOf(element)` is what a video or a canvas
 * shows, or null; `window.look(element)` gathers it at every turn of the screen.
 */
export function installReader() {
  const canvas = document.createElement('canvas');
  canvas.width = 320;
  canvas.height = 180;
  const context = canvas.getContext('2d', { willReadFrequently: true });

  window.clockOf = (element) => {
    if (element instanceof HTMLVideoElement && element.readyState < 2) return null;
    context.drawImage(element, 0, 0, 320, 180);
    const { data } = context.getImageData(0, 0, 320, 90);
    let code = 0;
    for (let row = 0; row < 2; row++) {
      for (let column = 0; column < 16; column++) {
        const at = ((row * 45 + 22) * 320 + column * 20 + 10) * 4;
        code = code * 2 + (data[at] > 127 ? 1 : 0);
      }
    }
    const bits = Math.floor(code / 256);
    const proof = ((bits >> 16) ^ (bits >> 8) ^ bits ^ 0xa5) & 0xff;
    return proof === code % 256 ? bits : null;
  };

  /**
   * `clocks`: what was shown, each once; `delays`: from the drawing to the screen, milliseconds;
   * `firstAt`: when the first one was there, milliseconds since the page was asked for.
   */
  window.look = (element) => {
    const seen = { clocks: [], delays: [], frames: 0, unreadable: 0, firstAt: null };
    let last = null;
    const turn = () => {
      const now = Date.now();
      let clock = null;
      try {
        clock = window.clockOf(element());
      } catch {
        // The page may be between two players.
      }
      if (clock === null) seen.unreadable += 1;
      else if (clock !== last) {
        last = clock;
        seen.firstAt ??= performance.now();
        seen.clocks.push(clock);
        seen.delays.push((now - clock + 2 ** 24) % 2 ** 24);
      }
      requestAnimationFrame(turn);
    };
    turn();
    const video = element();
    if (video instanceof HTMLVideoElement) {
      const onFrame = () => {
        seen.frames += 1;
        video.requestVideoFrameCallback(onFrame);
      };
      video.requestVideoFrameCallback(onFrame);
    }
    return seen;
  };
}
