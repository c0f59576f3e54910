// The dashboard: a tile for each live stream, kept up to date from the API.

import { empty } from './by-video.js';
import { Refused, ask, audioWords, bitrate, byId, count, keepToken, rtmpOrigin, say, showHealth, showReasons, toPath, videoWords } from './words.js';

const POLL_MS = 2000;
const PICTURE_MS = 5000;
/** Pictures that are decoded at the same time: few, so that 25 tiles do not cost 25 decoders. */
const PICTURES_AT_ONCE = 3;
/** A picture that has not come by then is given up. */
const PICTURE_PATIENCE_MS = 4000;

const tiles = new Map();
let server = null;

/** A live stream on the page. */
class Tile {
	constructor(name) {
		this.name = name;
		this.root = byId('tile').content.firstElementChild.cloneNode(true);
		this.part = (what) => this.root.querySelector(what);
		this.isVisible = false;
		this.nextPicture = 0;
		/** The codec of which the server makes no picture: it is not asked again. */
		this.refused = null;
		const link = this.part('.name');
		link.textContent = name;
		link.href = `/watch${toPath(name)}`;
		onScreen.observe(this.root);
	}

	show(stream) {
		this.state = stream.state;
		this.codec = stream.video[0]?.codec;
		this.hasVideo = stream.video.length > 0;
		if (this.codec !== this.refused) this.refused = null;
		this.root.dataset.state = stream.state;
		const states = { live: 'live', silent: 'silent', waiting: 'camera is gone' };
		say(this.part('.state'), states[stream.state] ?? stream.state);
		say(this.part('.viewers'), count(stream.subscriber_count, 'viewer', 'viewers'));
		const media = [...stream.video.map(videoWords), ...stream.audio.map(audioWords)];
		say(this.part('.media'), media.join(' · ') || 'nothing has come yet');
		say(this.part('.bitrate'), bitrate(stream.bitrate));
		this.draw(stream.bitrate_history ?? []);
		showHealth(this.part('.health'), stream.health);
		showReasons(this.part('.reasons'), stream.health);
		if (!this.hasVideo && stream.audio.length > 0) this.showInstead('Sound only');
	}

	draw(history) {
		const top = Math.max(1, ...history) * 1.15;
		// A young stream's graph grows from the right.
		const left = 60 - history.length;
		const points = history.map((bits, at) => `${left + at + 0.5} ${(20 - (bits / top) * 20).toFixed(2)}`);
		const line = points.length > 1 ? `M${points.join('L')}` : '';
		this.part('.line').setAttribute('d', line);
		this.part('.area').setAttribute('d', line && `${line}V20H${left + 0.5}Z`);
	}

	showInstead(text) {
		this.root.classList.remove('has-picture');
		say(this.part('.instead'), text);
	}

	/** Fetches the latest keyframe and draws it. */
	async refresh(loader) {
		const answer = await fetch(`${toPath(this.name)}/still.mp4`, { cache: 'no-store' });
		if (answer.status === 503) return;
		if (answer.status === 406) {
			this.refused = this.codec;
			throw new Error(`${this.codec ?? 'Its codec'} cannot be shown here`);
		}
		if (!answer.ok) throw new Error('No picture');
		const url = URL.createObjectURL(await answer.blob());
		try {
			await loaded(loader, url);
			const canvas = this.part('canvas');
			const height = Math.round((canvas.width * loader.videoHeight) / loader.videoWidth);
			if (canvas.height !== height) canvas.height = height;
			canvas.getContext('2d').drawImage(loader, 0, 0, canvas.width, canvas.height);
			this.root.classList.add('has-picture');
		} catch {
			throw new Error(`This browser cannot show ${this.codec ?? 'this codec'}`);
		} finally {
			empty(loader);
			URL.revokeObjectURL(url);
		}
	}

	remove() {
		onScreen.unobserve(this.root);
		this.root.remove();
	}
}

/** Waits until a video has its first picture. */
function loaded(video, url) {
	return new Promise((resolve, reject) => {
		const patience = setTimeout(reject, PICTURE_PATIENCE_MS);
		video.onloadeddata = () => {
			clearTimeout(patience);
			resolve();
		};
		video.onerror = () => {
			clearTimeout(patience);
			reject();
		};
		video.src = url;
		// Phones load nothing before it is to play.
		video.play().catch(() => {});
	});
}

const onScreen = new IntersectionObserver((entries) => {
	for (const { target, isIntersecting } of entries) {
		for (const tile of tiles.values()) if (tile.root === target) tile.isVisible = isIntersecting;
	}
}, { rootMargin: '200px' });

/** Keeps one picture after the other coming, the longest overdue first. */
async function loadPictures() {
	const loader = document.createElement('video');
	loader.muted = true;
	loader.playsInline = true;
	for (;;) {
		const due = [...tiles.values()]
			.filter((tile) => tile.isVisible && tile.hasVideo && !tile.refused && tile.nextPicture <= performance.now())
			.sort((a, b) => a.nextPicture - b.nextPicture)[0];
		if (!due || document.hidden) {
			await new Promise((resume) => setTimeout(resume, 100));
			continue;
		}
		due.nextPicture = performance.now() + PICTURE_MS;
		try {
			await due.refresh(loader);
		} catch (error) {
			due.showInstead(error instanceof TypeError ? 'No connection' : error.message);
		}
	}
}

function showStreams(streams) {
	const isFirst = !byId('main').dataset.loaded;
	byId('main').dataset.loaded = 'yes';
	const news = [];
	const names = new Set(streams.map((stream) => stream.name));
	for (const [name, tile] of tiles) {
		if (names.has(name)) continue;
		tile.remove();
		tiles.delete(name);
		news.push(`${name} has ended`);
	}
	let before = null;
	// `cam-2` comes before `cam-10`.
	streams.sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
	for (const stream of streams) {
		let tile = tiles.get(stream.name);
		if (!tile) {
			tile = new Tile(stream.name);
			tiles.set(stream.name, tile);
			news.push(`${stream.name} is live`);
		}
		tile.show(stream);
		// Moved only when it stands elsewhere: moving takes the focus away.
		const place = before ? before.nextElementSibling : byId('tiles').firstElementChild;
		if (place !== tile.root) byId('tiles').insertBefore(tile.root, place);
		before = tile.root;
	}
	byId('empty').hidden = streams.length > 0;
	const viewers = streams.reduce((sum, stream) => sum + stream.subscriber_count, 0);
	const bits = streams.reduce((sum, stream) => sum + stream.bitrate, 0);
	const all = count(streams.length, 'live stream', 'live streams');
	say(byId('summary'), streams.length ? `${all} · ${count(viewers, 'viewer', 'viewers')} · ${bitrate(bits)}` : '');
	document.title = streams.length ? `${all} – Millstream` : 'Millstream';
	if (!isFirst && news.length) say(byId('news'), news.join(', '));
}

function showBanner(text) {
	byId('banner').hidden = !text;
	say(byId('banner'), text);
}

async function poll() {
	try {
		const { streams } = await ask('streams');
		showBanner('');
		byId('ask').hidden = true;
		showStreams(streams);
		if (!server) {
			server = await ask('server');
			say(byId('server'), `Millstream ${server.version}`);
			say(byId('publish-url'), `${rtmpOrigin(server)}/live/KEY`);
		}
	} catch (error) {
		if (error instanceof Refused && (error.status === 401 || error.status === 403)) {
			showBanner('');
			say(byId('why'), error.message.replace(/.*Bearer TOKEN/, ''));
			byId('enter').hidden = byId('row').hidden = / has none/.test(error.message);
			byId('ask').hidden = false;
			byId('empty').hidden = true;
		} else {
			server = null;
			const isRefused = error instanceof Refused;
			showBanner(isRefused ? error.message : 'The server does not answer. Trying again.');
		}
	}
}

async function keepPolling() {
	for (;;) {
		if (!document.hidden) await poll();
		await new Promise((resume) => {
			const timer = setTimeout(done, POLL_MS);
			document.addEventListener('visibilitychange', done);
			function done() {
				clearTimeout(timer);
				document.removeEventListener('visibilitychange', done);
				resume();
			}
		});
	}
}

byId('ask').addEventListener('submit', (event) => {
	event.preventDefault();
	keepToken(byId('token').value.trim());
	byId('token').value = '';
	poll();
});
say(byId('publish-url'), `${rtmpOrigin(null)}/live/KEY`);
keepPolling();
for (let n = 0; n < PICTURES_AT_ONCE; n += 1) loadPictures();
