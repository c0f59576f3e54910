// Publishes the test picture with a tone until it is told to end: ffmpeg encodes and pushes what
// is drawn here in real time.
//
//   node pattern.mjs [--g711] URL [URL...]      all of them get the same, encoded once
//
// The sound is AAC, or G.711 as many cameras have it.
//
// When this process is killed, ffmpeg reads the end of its input and says goodbye. SIGHUP pulls its
// power cord: it says nothing.

import { spawn } from 'node:child_process';
import { draw, FRAMES_PER_SECOND, HEIGHT, WIDTH } from './clock.mjs';

const SAMPLES_PER_SECOND = 48000;
const SAMPLES_PER_FRAME = SAMPLES_PER_SECOND / FRAMES_PER_SECOND;
/**
 * The sound is ahead of the picture by so many frames: the encoder gives it out 40 ms later, and
 * ffmpeg sends no picture before it has the sound of that time.
 */
const SOUND_LEAD_FRAMES = 2;

const urls = process.argv.slice(2).filter((argument) => argument !== '--g711');
const isG711 = process.argv.includes('--g711');
const soundCodec = isG711 ? ['-c:a', 'pcm_alaw', '-ar', '8000'] : ['-c:a', 'aac', '-b:a', '64k'];
const outputs =
  urls.length === 1
    ? ['-f', 'flv', urls[0]]
    : ['-f', 'tee', urls.map((url) => `[f=flv]${url}`).join('|')];
const ffmpeg = spawn(
  'ffmpeg',
  [
    ['-v', 'error', '-fflags', 'nobuffer', '-probesize', '32', '-analyzeduration', '0'],
    ['-f', 'rawvideo', '-pixel_format', 'gray', '-video_size', `${WIDTH}x${HEIGHT}`],
    ['-framerate', `${FRAMES_PER_SECOND}`, '-i', 'pipe:0'],
    ['-fflags', 'nobuffer', '-probesize', '32', '-analyzeduration', '0'],
    ['-f', 's16le', '-ar', `${SAMPLES_PER_SECOND}`, '-ac', '1', '-i', 'pipe:3'],
    ['-map', '0:v', '-map', '1:a'],
    ['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-threads', '1'],
    ['-g', `${FRAMES_PER_SECOND}`, '-pix_fmt', 'yuv420p', ...soundCodec],
    ['-flags', '+global_header', '-flush_packets', '1', ...outputs],
  ].flat(),
  { stdio: ['pipe', 'inherit', 'inherit', 'pipe'] },
);
const [picture, , , sound] = ffmpeg.stdio;
// What ffmpeg no longer reads is told by its exit.
picture.on('error', () => {});
sound.on('error', () => {});
ffmpeg.on('exit', (code) => process.exit(code ?? 1));
process.on('SIGHUP', () => ffmpeg.kill('SIGKILL'));

function tone(frame) {
  const samples = new Int16Array(SAMPLES_PER_FRAME);
  for (let at = 0; at < samples.length; at++) {
    const seconds = (frame * SAMPLES_PER_FRAME + at) / SAMPLES_PER_SECOND;
    samples[at] = 4000 * Math.sin(2 * Math.PI * 440 * seconds);
  }
  return Buffer.from(samples.buffer);
}

for (let frame = 0; frame < SOUND_LEAD_FRAMES; frame++) sound.write(tone(frame));
const start = Date.now();
let frame = 0;
function turn() {
  const now = Date.now();
  for (; start + (frame * 1000) / FRAMES_PER_SECOND <= now; frame++) {
    sound.write(tone(frame + SOUND_LEAD_FRAMES));
    picture.write(draw(Date.now(), frame));
  }
  setTimeout(turn, start + (frame * 1000) / FRAMES_PER_SECOND - Date.now());
}
turn();

process.on('SIGTERM', () => {
  picture.end();
  sound.end();
});
