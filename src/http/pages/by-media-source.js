// Plays endless MP4 with Media Source Extensions, a fraction of a second behind its end.

import { empty, play } from './by-video.js';
import { BoxReader, label, readTracks, trackOf } from './codecs.js';
import { Feed } from './feed.js';

/** How far behind its end the picture is kept, seconds; more where that does not do. */
const TARGET_S = 0.2;
const TARGET_S_MAX = 1.5;
/** Above the target by this, it plays faster until it is there. */
const SLACK_S = 0.1;
const FASTER = 1.1;
/** Further behind than this it jumps. */
const JUMP_S = 2;
/** What was shown is kept for so long. */
const KEPT_S = 10;
const CHECK_MS = 100;

const Source = globalThis.ManagedMediaSource ?? globalThis.MediaSource;
export const isThere = () => Boolean(Source);

export class ByMediaSource {
	constructor({ video, path, report }) {
		this.video = video;
		this.report = report;
		this.reader = new BoxReader();
		this.queue = [];
		this.dropped = new Set();
		this.target = TARGET_S;
		this.hasBegun = false;
		this.aborter = new AbortController();
		this.source = new Source();
		// Without it there is no managed source on iPhones.
		video.disableRemotePlayback = true;
		this.url = URL.createObjectURL(this.source);
		video.src = this.url;
		const { signal } = this.aborter;
		this.source.addEventListener('sourceopen', () => this.append(), { signal });
		video.addEventListener('waiting', () => this.waited(), { signal });
		video.addEventListener('error', () => report.lost('The browser could not decode it', true), { signal });
		this.timer = setInterval(() => this.check(), CHECK_MS);
		this.feed = new Feed(`${path}.mp4`, (bytes) => this.take(bytes), (why) => report.lost(why));
		play(video, report);
	}

	stop() {
		this.aborter.abort();
		clearInterval(this.timer);
		this.feed.close();
		empty(this.video);
		URL.revokeObjectURL(this.url);
	}

	/** How far the picture is behind what has arrived, seconds. */
	get delay() {
		const { buffered, currentTime } = this.video;
		return buffered.length && this.hasBegun ? Math.max(0, buffered.end(buffered.length - 1) - currentTime) : null;
	}

	take(bytes) {
		for (const { kind, box } of this.reader.read(bytes)) {
			if (kind === 'moov' && !this.begin(box)) return;
			if (kind === 'moof') this.isDropped = this.dropped.has(trackOf(box));
			if (!(this.isDropped && (kind === 'moof' || kind === 'mdat'))) this.queue.push(box);
		}
		this.append();
	}

	/** Takes what tracks there are from now on; whether the browser can show them. */
	begin(moov) {
		const type = (tracks) => `video/mp4; codecs="${tracks.map((track) => track.codec).join()}"`;
		const all = readTracks(moov);
		const known = all.filter((track) => Source.isTypeSupported(type([track])));
		const refused = all.filter((track) => !known.includes(track));
		const refusedVideo = refused.find((track) => track.isVideo);
		if (refusedVideo || known.length === 0) {
			this.report.unsupported(refusedVideo ? label(refusedVideo.fourCc) : 'this sound');
			return false;
		}
		for (const track of refused) {
			// A browser refuses the whole for a track it does not know; it passes over free space.
			track.box.set([0x66, 0x72, 0x65, 0x65], 4);
			this.dropped.add(track.id);
			this.report.note(`The sound is ${label(track.fourCc)}, which this browser cannot play.`);
		}
		this.report.sound(known.some((track) => !track.isVideo));
		this.report.soundOnly(!known.some((track) => track.isVideo));
		// Changed in its turn, behind what is waiting to be appended.
		this.queue.push({ type: type(known) });
		return true;
	}

	append() {
		if (this.source.readyState !== 'open' || this.buffer?.updating || this.queue.length === 0) return;
		try {
			if (this.queue[0].type) {
				const { type } = this.queue.shift();
				if (!this.buffer) {
					this.buffer = this.source.addSourceBuffer(type);
					this.buffer.addEventListener('updateend', () => this.append(), { signal: this.aborter.signal });
				} else {
					this.buffer.changeType?.(type);
				}
			}
			// `ftyp` comes before what says how to read it, and is not needed.
			if (!this.buffer) {
				this.queue.shift();
				this.append();
				return;
			}
			const end = this.queue.findIndex((piece) => piece.type);
			const pieces = this.queue.splice(0, end < 0 ? this.queue.length : end);
			if (pieces.length > 0) this.buffer.appendBuffer(joined(pieces));
		} catch (error) {
			this.report.lost(error.name === 'QuotaExceededError' ? 'The buffer is full' : `${error.message}`, true);
		}
	}

	/** It ran dry, or stands in front of a gap. */
	waited() {
		if (!this.hasBegun) return;
		this.target = Math.min(TARGET_S_MAX, this.target * 1.3);
	}

	check() {
		const { video, buffer } = this;
		if (!buffer || video.buffered.length === 0) return;
		const last = video.buffered.length - 1;
		const end = video.buffered.end(last);
		const now = video.currentTime;
		if (!this.hasBegun) {
			this.hasBegun = true;
			this.begunAt = performance.now();
			video.currentTime = Math.max(video.buffered.start(last), end - this.target);
			return;
		}
		const behind = end - now;
		// Whoever joins gets all since the latest keyframe in a burst.
		const jump = performance.now() - this.begunAt < 1500 ? this.target + 0.3 : Math.max(JUMP_S, this.target * 2);
		const isInGap = now < video.buffered.start(last) && (last === 0 || now >= video.buffered.end(last - 1) - 0.05);
		if (!video.seeking && (behind > jump || isInGap)) {
			video.currentTime = Math.max(video.buffered.start(last), end - this.target);
		}
		if (behind > this.target + SLACK_S) video.playbackRate = FASTER;
		else if (behind <= this.target) video.playbackRate = 1;
		this.target = Math.max(TARGET_S, this.target - 0.0005);
		if (!video.paused && video.readyState > 2) this.report.playing();
		if (!buffer.updating && now - video.buffered.start(0) > KEPT_S * 2) buffer.remove(0, now - KEPT_S);
	}
}

function joined(pieces) {
	const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
	let at = 0;
	for (const piece of pieces) {
		whole.set(piece, at);
		at += piece.length;
	}
	return whole;
}
