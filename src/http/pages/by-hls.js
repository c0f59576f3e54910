// Lets the browser play HLS by itself: Safari, iPhones, and whoever else knows it.

import { empty, play } from './by-video.js';
import { UNREACHABLE, refusalWords } from './feed.js';

const PLAYLIST = 'application/vnd.apple.mpegurl';
const CHECK_MS = 500;
/** The picture may stand still for so long. */
const STILL_MS = 12_000;

export const isThere = () => document.createElement('video').canPlayType(PLAYLIST) !== '';

export class ByHls {
	constructor({ video, path, report }) {
		this.video = video;
		this.report = report;
		this.aborter = new AbortController();
		this.open(`${path}.m3u8`);
	}

	stop() {
		this.aborter.abort();
		clearInterval(this.timer);
		empty(this.video);
	}

	/** How far the picture is behind the end of the playlist, which Chromium does not tell, or of what came of it, seconds. */
	get delay() {
		const { seekable, buffered, currentTime } = this.video;
		const there = seekable.length ? seekable : buffered;
		return there.length ? Math.max(0, there.end(there.length - 1) - currentTime) : null;
	}

	async open(url) {
		const { video, report } = this;
		const { signal } = this.aborter;
		try {
			// A video does not tell why it has no source; this does.
			const answer = await fetch(url, { signal, cache: 'no-store' });
			if (!answer.ok) {
				report.lost(refusalWords(answer.status));
				return;
			}
		} catch {
			if (!signal.aborted) report.lost(UNREACHABLE);
			return;
		}
		if (signal.aborted) return;
		let time = -1;
		let movedAt = performance.now();
		this.timer = setInterval(() => {
			if (video.currentTime !== time && video.readyState > 1) {
				time = video.currentTime;
				movedAt = performance.now();
				report.playing();
			} else if (performance.now() - movedAt > STILL_MS && !video.paused) {
				report.lost('Nothing comes any more');
			}
		}, CHECK_MS);
		video.addEventListener('error', () => {
			if (video.error?.code === 4) report.unsupported(null);
			else report.lost('The browser could not play it', true);
		}, { signal });
		report.sound(true);
		video.src = url;
		play(video, report);
	}
}
