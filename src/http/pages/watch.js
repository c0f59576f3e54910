// The page of one live stream: plays it in the best way that the browser has, and goes on by itself
// when camera or server come back.

import * as byHls from './by-hls.js';
import * as byMediaSource from './by-media-source.js';
import * as byWebCodecs from './by-webcodecs.js';
import { Refused, ask, audioWords, bitrate, byId, element, rtmpOrigin, say, showHealth, showReasons, toPath, videoWords } from './words.js';

/** The best first. */
const WAYS = [
	{ key: 'webcodecs', label: 'WebCodecs', output: 'flv', isThere: byWebCodecs.isThere, Player: byWebCodecs.ByWebCodecs },
	{ key: 'mse', label: 'MSE', output: 'mp4', isThere: byMediaSource.isThere, Player: byMediaSource.ByMediaSource },
	{ key: 'hls', label: 'HLS', output: 'hls', isThere: byHls.isThere, Player: byHls.ByHls },
];
/** The waits between tries, milliseconds. */
const RETRIES_MS = [250, 500, 1000, 2000, 3000];
/** A codec that cannot be shown may be changed in the camera. */
const CODEC_RETRY_MS = 15_000;
/** A picture that stands still for so long is said to. */
const STILL_MS = 3000;
/** Faults of a decoder in a row, after which another way is tried. */
const DECODER_FAULTS_MAX = 2;
/** What has played for so long starts afresh with the counts of tries and faults. */
const SETTLED_MS = 5000;
const ABOUT_MS = 3000;
const IDLE_MS = 3000;

const segments = location.pathname.split('/').slice(2);
const name = segments.map(decoded).join('/');
const path = toPath(name);
const [stage, video, canvas] = ['stage', 'video', 'canvas'].map(byId);

const state = {
	/** The way that is under way, and what plays it. */
	way: null,
	player: null,
	refused: new Set(),
	/** What the ways refused, in words, from the first that knew. */
	what: null,
	faults: 0,
	tries: 0,
	retry: 0,
	startedAt: 0,
	playedAt: 0,
	isOn: false,
	hasSound: null,
	/** What the API said last. */
	stream: null,
	notes: new Map(),
};

function decoded(segment) {
	try {
		return decodeURIComponent(segment);
	} catch {
		return segment;
	}
}

function show(what, text) {
	stage.dataset.state = what;
	say(byId('message'), text);
}

const wanted = () => byId('way').value;
const isSoundOnly = () => stage.classList.contains('sound-only');

function start() {
	clearTimeout(state.retry);
	stop();
	const ways = WAYS.filter((way) => way.isThere() && (!wanted() || way.key === wanted()));
	const way = ways.find((one) => !state.refused.has(one.key));
	if (!way) {
		cannotShow(ways.length > 0);
		return;
	}
	state.way = way;
	state.startedAt = performance.now();
	state.playedAt = 0;
	state.hasSound = null;
	state.notes.clear();
	stage.classList.remove('sound-only');
	const isDrawn = way.key === 'webcodecs';
	canvas.hidden = !isDrawn;
	video.hidden = isDrawn;
	stage.dataset.way = way.key;
	byId('play').hidden = true;
	if (stage.dataset.state !== 'waiting') show('connecting', 'Connecting');
	// Whatever a player says after its end concerns nobody.
	const mine = (act) => (...told) => {
		if (state.player === player || !player) act(...told);
	};
	let player = null;
	player = new way.Player({
		video,
		canvas,
		path,
		report: {
			playing: mine(playing),
			lost: mine(lost),
			unsupported: mine(unsupported),
			needsGesture: mine(needsGesture),
			note: mine((text) => state.notes.set('player', text)),
			soundOnly: mine((is) => stage.classList.toggle('sound-only', is)),
			sound: mine((has) => {
				state.hasSound = has;
				showSound();
			}),
		},
	});
	state.player = player;
	setSound();
}

function stop() {
	state.player?.stop();
	state.player = null;
}

function playing() {
	state.playedAt = performance.now();
	if (stage.dataset.state !== 'playing') {
		show('playing', isSoundOnly() ? 'Sound only' : '');
		byId('play').hidden = true;
		stayAwake();
	}
	if (state.playedAt - state.startedAt > SETTLED_MS) {
		state.tries = 0;
		state.faults = 0;
	}
}

function lost(text, isDecoder = false) {
	state.faults = isDecoder ? state.faults + 1 : 0;
	if (state.faults > DECODER_FAULTS_MAX) {
		state.faults = 0;
		unsupported('what this camera sends');
		return;
	}
	if (!isDecoder) forgetRefusals();
	stop();
	show('waiting', `${text}. Trying again.`);
	const wait = RETRIES_MS[Math.min(state.tries, RETRIES_MS.length - 1)];
	state.tries += 1;
	// Many pages that lost the same server do not come back in the same instant.
	state.retry = setTimeout(start, wait * (0.8 + Math.random() * 0.4));
}

function unsupported(what) {
	state.refused.add(state.way.key);
	state.what ??= what;
	start();
}

function forgetRefusals() {
	state.refused.clear();
	state.what = null;
}

/** No way is left. */
function cannotShow(isThere) {
	const what = state.what ?? state.stream?.video[0]?.codec ?? 'this live stream';
	const isHevc = what.startsWith('HEVC');
	let text = `This browser cannot show ${what}.`;
	if (!isThere) text = wanted() ? 'This browser does not have this way of playing.' : 'This browser cannot play live streams.';
	if (isHevc) text += ' Most browsers cannot. Set the camera to H.264, or try Safari or one of the programs below.';
	else text += ' Other programs can, with an address below.';
	show('unsupported', text);
	forgetRefusals();
	state.retry = setTimeout(start, CODEC_RETRY_MS);
}

/** Browsers may want to be asked, even for a silent picture. */
function needsGesture(play) {
	show('asking', '');
	byId('play').hidden = false;
	byId('play').onclick = () => {
		byId('play').hidden = true;
		play();
	};
}

function setSound() {
	const volume = byId('volume').value / 100;
	video.muted = !state.isOn;
	video.volume = volume;
	state.player?.setSound?.(state.isOn, volume);
	showSound();
}

function showSound() {
	const button = byId('sound');
	const isMissing = state.hasSound === false;
	button.disabled = isMissing;
	button.dataset.is = state.isOn && !isMissing ? 'on' : 'off';
	say(byId('sound-label'), isMissing ? 'No sound' : state.isOn ? 'Mute' : 'Unmute');
	byId('volume').disabled = !state.isOn || isMissing;
}

function toggleSound() {
	if (byId('sound').disabled) return;
	state.isOn = !state.isOn;
	setSound();
}

const fullElement = () => document.fullscreenElement ?? document.webkitFullscreenElement;

function toggleFull() {
	if (fullElement()) (document.exitFullscreen ?? document.webkitExitFullscreen).call(document);
	else if (stage.requestFullscreen) stage.requestFullscreen().catch(() => {});
	else if (stage.webkitRequestFullscreen) stage.webkitRequestFullscreen();
	// iPhones have it for videos only.
	else video.webkitEnterFullscreen?.();
}

let idle = 0;
function beActive() {
	delete stage.dataset.idle;
	clearTimeout(idle);
	if (fullElement()) idle = setTimeout(() => (stage.dataset.idle = 'yes'), IDLE_MS);
}

let lock = null;
/** A phone that is watched does not go to sleep. */
async function stayAwake() {
	if (!navigator.wakeLock || document.hidden || (lock && !lock.released)) return;
	lock = await navigator.wakeLock.request('screen').catch(() => null);
}

function showDelay() {
	const { player, stream } = state;
	const isPlaying = stage.dataset.state === 'playing';
	const delay = isPlaying ? player?.delay : null;
	say(byId('delay'), delay == null ? '' : `${delay.toFixed(2)} s in buffer`);
	if (isPlaying && performance.now() - state.playedAt > STILL_MS && !document.hidden) {
		show('waiting', stream?.state === 'waiting' ? 'The camera is gone. Waiting for it.' : 'No picture comes. Waiting for the camera.');
	}
	showNotes();
}

function showNotes() {
	const notes = [...state.notes.values()];
	const output = state.stream?.outputs?.find((one) => one.kind === state.way?.output);
	for (const { codec, track, reason } of output?.left_out ?? []) {
		if (track === 'audio') notes.push(`Without sound: ${codec} – ${reason}`);
		// Nothing comes that could be refused.
		else if (state.player && stage.dataset.state !== 'playing') unsupported(codec);
	}
	byId('note').hidden = notes.length === 0;
	say(byId('note'), notes.join(' '));
}

function describe(list, entries) {
	for (const [term, text] of entries) {
		let place = [...list.children].find((one) => one.dataset.term === term);
		if (!place) {
			place = element('div');
			place.dataset.term = term;
			place.append(element('dt', term), element('dd'));
			list.append(place);
		}
		place.hidden = !text;
		say(place.lastElementChild, text ?? '');
	}
}

function showAbout() {
	const { stream, player, way } = state;
	const size = canvas.hidden ? [video.videoWidth, video.videoHeight] : [canvas.width, canvas.height];
	const isPlaying = player && stage.dataset.state === 'playing';
	const shown = isPlaying && !isSoundOnly() && size[0] > 0 ? `${size[0]} × ${size[1]}` : '';
	const sound = { true: 'yes', false: 'none' }[state.hasSound];
	describe(byId('about'), [
		['Picture', stream?.video.map(videoWords).join(', ') || shown],
		['Sound', stream ? stream.audio.map(audioWords).join(', ') || 'none' : sound],
		['Bitrate', stream && bitrate(stream.bitrate)],
		['Viewers', stream && String(stream.subscriber_count)],
		['Published by', stream?.publisher?.software],
		['Played with', isPlaying && way.label],
	]);
	showHealth(byId('health'), stream?.health);
	showReasons(byId('reasons'), stream?.health);
}

/** What the API tells, if it tells this browser anything. */
async function keepAsking() {
	let server = null;
	for (;;) {
		if (!document.hidden) {
			try {
				if (!server) {
					server = await ask('server');
					showAddresses(server);
				}
				state.stream = (await ask(`stream?name=${encodeURIComponent(name)}`)).stream;
			} catch (error) {
				state.stream = null;
				if (error instanceof Refused && (error.status === 401 || error.status === 403)) return;
			}
		}
		await new Promise((resume) => setTimeout(resume, ABOUT_MS));
	}
}

function showAddresses(server) {
	describe(byId('addresses'), [
		// On which port it is, the API tells.
		['RTMP', server && `${rtmpOrigin(server)}${path}`],
		['FLV', `${location.origin}${path}.flv`],
		['MP4', `${location.origin}${path}.mp4`],
		['HLS', `${location.origin}${path}.m3u8`],
	]);
}

function setUp() {
	say(byId('name'), name);
	document.title = `${name} – Millstream`;
	for (const picture of [video, canvas]) picture.setAttribute('aria-label', `Live picture of ${name}`);
	byId('delay').title = 'From its arrival in this browser to the screen. The way from the camera to here comes on top.';
	showAddresses(null);
	const way = location.hash.slice(1);
	if (WAYS.some((one) => one.key === way)) byId('way').value = way;
	for (const option of byId('way').options) {
		option.disabled = WAYS.some((one) => one.key === option.value && !one.isThere());
	}
	byId('way').addEventListener('change', () => {
		history.replaceState(null, '', wanted() ? `#${wanted()}` : location.pathname + location.search);
		forgetRefusals();
		show('connecting', 'Connecting');
		start();
	});
	byId('sound').addEventListener('click', toggleSound);
	byId('volume').addEventListener('input', setSound);
	byId('full').addEventListener('click', toggleFull);
	byId('full').hidden = !(stage.requestFullscreen || stage.webkitRequestFullscreen || video.webkitEnterFullscreen);
	for (const picture of [video, canvas]) picture.addEventListener('dblclick', toggleFull);
	for (const event of ['pointermove', 'pointerdown', 'keydown']) stage.addEventListener(event, beActive);
	for (const event of ['fullscreenchange', 'webkitfullscreenchange']) {
		document.addEventListener(event, () => {
			say(byId('full-label'), fullElement() ? 'Leave full screen' : 'Full screen');
			beActive();
		});
	}
	document.addEventListener('keydown', (event) => {
		if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches('input, select')) return;
		if (event.key === 'm' || event.key === 'M') toggleSound();
		if (event.key === 'f' || event.key === 'F') toggleFull();
	});
	const hurry = () => {
		if (document.hidden) return;
		if (stage.dataset.state === 'playing') stayAwake();
		if (stage.dataset.state === 'waiting' && !state.player) start();
	};
	document.addEventListener('visibilitychange', hurry);
	addEventListener('online', hurry);
	// A page that comes back from the browser's memory has lost its connection.
	addEventListener('pagehide', stop);
	addEventListener('pageshow', (event) => event.persisted && start());
}

setUp();
start();
setInterval(showDelay, 500);
setInterval(showAbout, 1000);
keepAsking();
