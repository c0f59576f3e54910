// FLV tags and MP4 initialisation segments: what they hold, and how browsers call the codecs.

const text = (bytes, at) => String.fromCharCode(...bytes.subarray(at, at + 4));
const number = (bytes, at, size) => bytes.subarray(at, at + size).reduce((sum, byte) => sum * 256 + byte, 0);
const hex = (value) => value.toString(16).padStart(2, '0');
const two = (value) => String(value).padStart(2, '0');

/** Pieces of a stream, put together until a whole unit is there. */
class Pieces {
	rest = new Uint8Array();

	push(bytes) {
		if (this.rest.length === 0) {
			this.rest = bytes;
			return;
		}
		const both = new Uint8Array(this.rest.length + bytes.length);
		both.set(this.rest);
		both.set(bytes, this.rest.length);
		this.rest = both;
	}

	/** The first `size` bytes, once they are there. */
	take(size) {
		if (this.rest.length < size) return null;
		const taken = this.rest.subarray(0, size);
		this.rest = this.rest.subarray(size);
		return taken;
	}
}

/** FLV to tags: type (8 sound, 9 picture), time in milliseconds, body. */
export class FlvReader {
	pieces = new Pieces();
	hasHeader = false;

	*read(bytes) {
		this.pieces.push(bytes);
		for (;;) {
			const { rest } = this.pieces;
			if (!this.hasHeader) {
				// The header and the size of no tag before it.
				if (!this.pieces.take(13)) return;
				this.hasHeader = true;
				continue;
			}
			if (rest.length < 11) return;
			const size = number(rest, 1, 3);
			const tag = this.pieces.take(11 + size + 4);
			if (!tag) return;
			const time = number(tag, 4, 3) + tag[7] * 0x1000000;
			yield { type: tag[0] & 0x1f, time, body: tag.subarray(11, 11 + size) };
		}
	}
}

/** MP4 to boxes of the outermost level. */
export class BoxReader {
	pieces = new Pieces();

	*read(bytes) {
		this.pieces.push(bytes);
		for (;;) {
			const { rest } = this.pieces;
			if (rest.length < 8) return;
			const box = this.pieces.take(Math.max(8, number(rest, 0, 4)));
			if (!box) return;
			yield { kind: text(box, 4), box };
		}
	}
}

/** The names of codecs, from their decoder configurations. */
const names = {
	avc: (config) => `avc1.${hex(config[1])}${hex(config[2])}${hex(config[3])}`,
	hevc(config) {
		const space = ['', 'A', 'B', 'C'][config[1] >> 6];
		let flags = 0;
		for (let bit = 0; bit < 32; bit += 1) {
			if (config[2 + (bit >> 3)] & (0x80 >> (bit & 7))) flags += 2 ** bit;
		}
		const constraints = [...config.subarray(6, 12)];
		while (constraints.at(-1) === 0) constraints.pop();
		const level = `${config[1] & 0x20 ? 'H' : 'L'}${config[12]}`;
		const all = [`hvc1`, `${space}${config[1] & 0x1f}`, flags.toString(16), level];
		return [...all, ...constraints.map((byte) => byte.toString(16))].join('.');
	},
	av1(config) {
		const depth = config[2] & 0x40 ? (config[2] & 0x20 ? 12 : 10) : 8;
		return `av01.${config[1] >> 5}.${two(config[1] & 0x1f)}${config[2] & 0x80 ? 'H' : 'M'}.${two(depth)}`;
	},
	// A full box: version and flags come first.
	vp9: (config) => `vp09.${two(config[4])}.${two(config[5])}.${two(config[6] >> 4)}`,
};

/** Names for people. */
const LABELS = {
	avc1: 'H.264', avc3: 'H.264', hvc1: 'HEVC (H.265)', hev1: 'HEVC (H.265)', av01: 'AV1', vp09: 'VP9', vp08: 'VP8',
	mp4a: 'AAC', Opus: 'Opus', fLaC: 'FLAC', 'ac-3': 'AC-3', 'ec-3': 'E-AC-3', '.mp3': 'MP3',
};
export const label = (fourCc) => LABELS[fourCc] ?? fourCc;

/** The kind of AAC, its rate and channels (AudioSpecificConfig). */
function aac(config) {
	const bits = number(config, 0, 4);
	const kind = bits >>> 27;
	const rates = [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350];
	return {
		codec: `mp4a.40.${kind}`,
		sampleRate: rates[(bits >>> 23) & 15] ?? 48000,
		numberOfChannels: (bits >>> 19) & 15 || 2,
		description: config,
	};
}

/** What a video tag is: `{ codec, fourCc, config }`, `{ frame, isKey, offset }`, or nothing that is shown. */
export function readVideo(body) {
	const first = body[0];
	// Commands to the player are no pictures.
	if (body.length < 5 || (first >> 4 & 7) === 5) return {};
	const isKey = (first >> 4 & 7) === 1;
	const signed = (at) => (number(body, at, 3) << 8) >> 8;
	let fourCc = { 7: 'avc1', 12: 'hvc1' }[first & 15];
	let kind = body[1];
	let at = 5;
	let offset = 0;
	if (first & 0x80) {
		fourCc = text(body, 1);
		// Frames whose offset is 0 have none.
		kind = { 0: 0, 1: 1, 3: 1 }[first & 15];
		if ((first & 15) === 1 && (fourCc === 'avc1' || fourCc === 'hvc1')) {
			offset = signed(5);
			at = 8;
		}
	} else if (!fourCc) {
		return { codec: null, fourCc: { 2: 'H.263', 3: 'Screen video', 4: 'VP6' }[first & 15] ?? 'its codec' };
	} else {
		offset = signed(2);
	}
	if (kind === 1) return { frame: body.subarray(at), isKey, offset };
	if (kind !== 0) return {};
	const config = body.slice(5);
	const name = { avc1: names.avc, hvc1: names.hevc, av01: names.av1, vp09: names.vp9 }[fourCc];
	// Decoders of AV1 and VP9 find theirs in the frames.
	const isDescribed = fourCc === 'avc1' || fourCc === 'hvc1';
	return { codec: name?.(config) ?? null, fourCc, config: isDescribed ? config : undefined };
}

/** What an audio tag is: `{ config }` for a decoder, with `frame` where that needs none, or `{ frame }`. */
export function readAudio(body) {
	const format = body[0] >> 4;
	const numberOfChannels = (body[0] & 1) + 1;
	if (format === 10) return body[1] === 0 ? { config: aac(body.slice(2)), name: 'AAC' } : { frame: body.subarray(2) };
	if (format === 2 || format === 14) {
		return { config: { codec: 'mp3', sampleRate: 44100, numberOfChannels }, frame: body.subarray(1), name: 'MP3' };
	}
	if (format === 7 || format === 8) {
		const codec = format === 7 ? 'alaw' : 'ulaw';
		return { config: { codec, sampleRate: 8000, numberOfChannels }, frame: body.subarray(1), name: 'G.711' };
	}
	if (format !== 9 || body.length < 5) return { config: null, name: 'its codec' };
	const fourCc = text(body, 1);
	const name = label(fourCc);
	const kind = body[0] & 15;
	const data = body.subarray(5);
	if (fourCc === '.mp3') return kind === 1 ? { config: { codec: 'mp3', sampleRate: 44100, numberOfChannels: 2 }, frame: data, name } : {};
	if (kind === 1) return { frame: data };
	if (kind !== 0) return {};
	const description = data.slice();
	if (fourCc === 'mp4a') return { config: aac(description), name };
	if (fourCc === 'Opus') {
		return { config: { codec: 'opus', sampleRate: 48000, numberOfChannels: description[9] || 2, description }, name };
	}
	if (fourCc === 'fLaC') {
		const sampleRate = number(description, 18, 3) >> 4;
		return { config: { codec: 'flac', sampleRate, numberOfChannels: ((description[20] >> 1) & 7) + 1, description }, name };
	}
	return { config: null, name };
}

/** The boxes inside of a box, behind `skip` bytes of its own. */
function* inside(box, skip = 8) {
	for (let at = skip; at + 8 <= box.length; ) {
		const size = number(box, at, 4);
		if (size < 8) return;
		yield { kind: text(box, at + 4), box: box.subarray(at, at + size) };
		at += size;
	}
}

function find(box, ...path) {
	for (const kind of path) {
		box = [...inside(box)].find((one) => one.kind === kind)?.box;
		if (!box) return null;
	}
	return box;
}

/** What an `esds` calls its codec: the descriptors are nested, each with a size of one to four bytes. */
function esdsName(esds) {
	let at = 12;
	const enter = (tag) => {
		if (esds[at] !== tag) return false;
		at += 1;
		while (esds[at] & 0x80) at += 1;
		at += 1;
		return true;
	};
	if (!enter(3)) return null;
	at += 3;
	if (!enter(4)) return null;
	const kind = esds[at];
	if (kind !== 0x40) return `mp4a.${hex(kind)}`;
	at += 13;
	return enter(5) ? `mp4a.40.${esds[at] >> 3}` : null;
}

/** The tracks of a `moov`: `{ isVideo, id, fourCc, codec, box }`. */
export function readTracks(moov) {
	const tracks = [];
	for (const { kind, box } of inside(moov)) {
		const stsd = kind === 'trak' && find(box, 'mdia', 'minf', 'stbl', 'stsd');
		if (!stsd) continue;
		const id = number(find(box, 'tkhd'), 20, 4);
		const isVideo = text(find(box, 'mdia', 'hdlr'), 16) === 'vide';
		const [{ kind: fourCc, box: entry }] = inside(stsd, 16);
		const parts = Object.fromEntries([...inside(entry, isVideo ? 86 : 36)].map((one) => [one.kind, one.box.subarray(8)]));
		let codec = { Opus: 'opus', fLaC: 'flac' }[fourCc] ?? fourCc;
		if (parts.avcC) codec = names.avc(parts.avcC);
		if (parts.hvcC) codec = names.hevc(parts.hvcC);
		if (parts.av1C) codec = names.av1(parts.av1C);
		if (parts.vpcC) codec = names.vp9(parts.vpcC);
		if (fourCc === 'mp4a') codec = esdsName([...inside(entry, 36)].find((one) => one.kind === 'esds').box);
		tracks.push({ isVideo, id, fourCc, codec, box });
	}
	return tracks;
}

/** The track that a `moof` belongs to. */
export const trackOf = (moof) => number(find(moof, 'traf', 'tfhd'), 12, 4);
