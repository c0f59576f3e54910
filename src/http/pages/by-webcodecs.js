// Decodes FLV with WebCodecs and draws each picture when its time has come: a few milliseconds after
// it arrived where it arrives evenly, later where that keeps the movement even.

import { FlvReader, label, readAudio, readVideo } from './codecs.js';
import { Feed } from './feed.js';

/** Longest time that a picture is held back to even out how pictures arrive, milliseconds. */
const HOLD_MS_MAX = 300;
/** Decoded pictures that wait; browsers have few of them. */
const PICTURES_MAX = 10;
/** Pictures that wait for a slow decoder, before it goes on at a keyframe. */
const UNDECODED_MAX = 60;
/** Sound without any picture for so long is taken for all there is. */
const SOUND_ONLY_MS = 1500;
/** A clock that is off by more begins anew, milliseconds. */
const STEP_MS = 5000;
/** Sound has to be handed over a little before it is heard. */
const SOUND_LEAD_MS = 20;
/** Nobody notices sound that is behind its picture by so much (EBU R37): no picture waits for it. */
const SOUND_BEHIND_MS = 60;
/** Sound that is off by more is put in place, seconds. */
const SOUND_OFF_S = 0.08;

export const isThere = () => isSecureContext && 'VideoDecoder' in globalThis;

/** Says when a time of the stream is to be shown: early enough to be live, late enough to be even. */
class Clock {
	fastest = null;
	picture = { hold: 0, at: 0 };
	sound = { hold: 0, at: 0 };

	/** Something of this time is ready now: `what` is the picture or the sound of this clock. */
	arrived(what, time, now) {
		const way = now - time;
		if (this.fastest === null || Math.abs(way - this.fastest) > STEP_MS) {
			this.fastest = way;
			this.picture.hold = this.sound.hold = 0;
			this.at = now;
		}
		// The two clocks may drift apart.
		this.fastest += ((now - this.at) / 1000) * 0.5;
		this.at = now;
		if (way < this.fastest) {
			// A burst in the beginning: what came before was late, and says nothing of what will come.
			if (this.fastest - way > 15) this.picture.hold = this.sound.hold = 0;
			this.fastest = way;
		}
		const late = way - this.fastest;
		what.hold = Math.max(late, what.hold - (what.hold - late) * Math.min(1, (now - what.at) / 10_000));
		what.at = now;
	}

	shownAt(time) {
		return this.held(time, this.sound.hold - SOUND_BEHIND_MS);
	}

	heardAt(time) {
		return this.held(time, this.sound.hold);
	}

	held(time, hold) {
		return time + this.fastest + Math.min(Math.max(hold, this.picture.hold), HOLD_MS_MAX);
	}
}

export class ByWebCodecs {
	constructor({ canvas, path, report }) {
		this.canvas = canvas;
		this.context = canvas.getContext('2d', { alpha: false, desynchronized: true });
		this.report = report;
		this.reader = new FlvReader();
		this.clock = new Clock();
		this.pictures = [];
		this.arrivals = new Map();
		this.delay = null;
		this.sound = new Sound(this.clock, report);
		this.waiting = [];
		this.isOver = false;
		this.feed = new Feed(`${path}.flv`, (bytes) => this.take(bytes), (why) => report.lost(why));
		this.draw = this.draw.bind(this);
		this.frame = requestAnimationFrame(this.draw);
	}

	stop() {
		this.isOver = true;
		this.feed.close();
		cancelAnimationFrame(this.frame);
		for (const picture of this.pictures) picture.close();
		this.pictures = [];
		close(this.decoder);
		this.sound.stop();
	}

	take(bytes) {
		const now = performance.now();
		for (const tag of this.reader.read(bytes)) {
			if (tag.type === 9) this.waiting.push({ ...readVideo(tag.body), time: tag.time, now });
			if (tag.type === 8) {
				this.sound.take(readAudio(tag.body), tag.time);
				this.soundSince ??= now;
			}
		}
		if (!this.decoder && now - this.soundSince > SOUND_ONLY_MS) {
			this.report.soundOnly(true);
			this.report.playing();
		}
		this.decodeWaiting();
	}

	/** What comes is taken in order, though a decoder's answer to what it can do takes its time. */
	async decodeWaiting() {
		if (this.isBusy) return;
		this.isBusy = true;
		while (this.waiting.length > 0 && !this.isOver) {
			const told = this.waiting.shift();
			if (told.fourCc) await this.configure(told);
			else if (told.frame) this.decode(told);
		}
		this.isBusy = false;
	}

	decode({ frame, isKey, time, offset, now }) {
		if (this.decoder?.state !== 'configured') return;
		if (isKey && this.decoder.decodeQueueSize > UNDECODED_MAX) {
			this.decoder.reset();
			this.decoder.configure(this.config);
		}
		this.needsKey &&= !isKey;
		if (this.needsKey) return;
		const timestamp = (time + offset) * 1000;
		if (this.arrivals.size > 1000) this.arrivals.clear();
		this.arrivals.set(timestamp, now);
		this.decoder.decode(new EncodedVideoChunk({ type: isKey ? 'key' : 'delta', timestamp, data: frame }));
	}

	async configure({ codec, fourCc, config }) {
		if (this.isOver) return;
		const wanted = { codec, description: config, optimizeForLatency: true };
		const isSame = (a, b) => a?.codec === b.codec && `${a?.description}` === `${b.description}`;
		if (this.decoder?.state === 'configured' && isSame(this.config, wanted)) return;
		const answer = codec && (await VideoDecoder.isConfigSupported(wanted).catch(() => null));
		if (this.isOver) return;
		if (!answer?.supported) {
			this.report.unsupported(label(fourCc));
			return;
		}
		if (this.decoder?.state === 'configured') await this.decoder.flush().catch(() => {});
		if (this.isOver) return;
		close(this.decoder);
		this.config = wanted;
		this.needsKey = true;
		this.decoder = new VideoDecoder({
			output: (picture) => this.decoded(picture),
			error: () => this.isOver || this.report.lost('The browser could not decode it', true),
		});
		this.decoder.configure(wanted);
		this.report.soundOnly(false);
	}

	decoded(picture) {
		if (this.isOver || document.hidden) {
			this.arrivals.delete(picture.timestamp);
			picture.close();
			return;
		}
		this.clock.arrived(this.clock.picture, picture.timestamp / 1000, performance.now());
		this.pictures.push(picture);
		while (this.pictures.length > PICTURES_MAX) this.pictures.shift().close();
	}

	draw() {
		this.frame = requestAnimationFrame(this.draw);
		const now = performance.now();
		let due = null;
		// A screen shows it some milliseconds from now.
		while (this.pictures.length > 0 && this.clock.shownAt(this.pictures[0].timestamp / 1000) <= now + 8) {
			due?.close();
			due = this.pictures.shift();
		}
		if (!due) return;
		const { canvas } = this;
		if (canvas.width !== due.displayWidth || canvas.height !== due.displayHeight) {
			canvas.width = due.displayWidth;
			canvas.height = due.displayHeight;
		}
		this.context.drawImage(due, 0, 0, canvas.width, canvas.height);
		const arrived = this.arrivals.get(due.timestamp);
		this.arrivals.delete(due.timestamp);
		if (arrived) {
			const delay = (now - arrived) / 1000;
			this.delay = this.delay === null ? delay : this.delay * 0.9 + delay * 0.1;
		}
		due.close();
		this.report.playing();
	}

	/** Called by what the user does, or browsers stay silent. */
	setSound(isOn, volume) {
		this.sound.set(isOn, volume);
	}
}

/** The sound of a live stream. While it is off nothing is decoded. */
class Sound {
	constructor(clock, report) {
		this.clock = clock;
		this.report = report;
		this.isOn = false;
		this.volume = 1;
	}

	stop() {
		this.isOver = true;
		this.close();
	}

	set(isOn, volume) {
		this.isOn = isOn;
		this.volume = volume;
		if (isOn) this.open();
		else this.close();
		if (this.gain) this.gain.gain.value = volume;
	}

	take(told, time) {
		if (this.isOver) return;
		if (told.config !== undefined) this.configure(told);
		if (!this.isOn || !told.frame || this.decoder?.state !== 'configured') return;
		const chunk = { type: 'key', timestamp: time * 1000, data: told.frame };
		this.decoder.decode(new EncodedAudioChunk(chunk));
	}

	async configure({ config, name }) {
		const told = JSON.stringify([config, name, [...(config?.description ?? [])]]);
		if (told === this.told) return;
		this.told = told;
		const answer = config && 'AudioDecoder' in globalThis
			&& (await AudioDecoder.isConfigSupported(config).catch(() => null));
		if (this.isOver) return;
		this.config = answer?.supported ? config : null;
		this.report.sound(Boolean(this.config));
		if (!this.config) this.report.note(`The sound is ${name}, which this browser cannot play.`);
		this.close();
		if (this.isOn) this.open();
	}

	open() {
		if (this.isOver || this.decoder || !this.config) return;
		const { codec, sampleRate } = this.config;
		// Slow AAC is often heard at twice the rate that it names.
		const isDoubled = codec.startsWith('mp4a') && sampleRate <= 24000;
		this.output = new AudioContext({ latencyHint: 'interactive', sampleRate: isDoubled ? undefined : sampleRate });
		this.gain = this.output.createGain();
		this.gain.gain.value = this.volume;
		this.gain.connect(this.output.destination);
		this.output.resume();
		this.next = 0;
		this.decoder = new AudioDecoder({
			output: (data) => this.decoded(data),
			error: () => this.isOver || this.report.note('The sound could not be decoded.'),
		});
		this.decoder.configure(this.config);
	}

	close() {
		close(this.decoder);
		this.output?.close();
		this.clock.sound.hold = 0;
		this.decoder = this.output = this.gain = null;
	}

	decoded(data) {
		const { output } = this;
		if (!output || output.state !== 'running') {
			data.close();
			return;
		}
		const now = performance.now();
		const time = data.timestamp / 1000;
		this.clock.arrived(this.clock.sound, time, now + SOUND_LEAD_MS);
		const buffer = output.createBuffer(data.numberOfChannels, data.numberOfFrames, data.sampleRate);
		for (let plane = 0; plane < data.numberOfChannels; plane += 1) {
			data.copyTo(buffer.getChannelData(plane), { planeIndex: plane, format: 'f32-planar' });
		}
		data.close();
		const wanted = output.currentTime + (this.clock.heardAt(time) - now) / 1000;
		if (Math.abs(wanted - this.next) > SOUND_OFF_S || this.next < output.currentTime) this.next = wanted;
		if (this.next < output.currentTime) return;
		const node = output.createBufferSource();
		node.buffer = buffer;
		node.connect(this.gain);
		node.start(this.next);
		this.next += buffer.duration;
	}
}

function close(decoder) {
	if (decoder && decoder.state !== 'closed') decoder.close();
}
