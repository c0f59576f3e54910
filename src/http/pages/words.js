// What both pages share: names and addresses, the API, numbers for people.

const TOKEN = 'millstream-token';

export const byId = (id) => document.getElementById(id);

/** A name such as `live/cam` as a path; whatever a segment holds stays inside of it. */
export const toPath = (name) => `/${name.split('/').map(encodeURIComponent).join('/')}`;

/** A new element; text is text, whatever is in it. */
export function element(tag, text, className) {
	const made = document.createElement(tag);
	if (text !== undefined) made.textContent = text;
	if (className) made.className = className;
	return made;
}

/** Changes the text where it differs, so that a screen reader is told no news that are none. */
export function say(where, text) {
	if (where.textContent !== text) where.textContent = text;
}

/** The API says no: `status`, and a message for a person. */
export class Refused extends Error {
	constructor(status, message) {
		super(message);
		this.status = status;
	}
}

export const keepToken = (token) => sessionStorage.setItem(TOKEN, token);

/** What the API tells under this path. Throws `Refused`, or what `fetch` throws. */
export async function ask(path) {
	const token = sessionStorage.getItem(TOKEN);
	const headers = token ? { Authorization: `Bearer ${token}` } : {};
	const signal = AbortSignal.timeout?.(10_000);
	const answer = await fetch(`/api/v1/${path}`, { headers, signal, cache: 'no-store' });
	if (answer.ok) return answer.json();
	const told = await answer.json().catch(() => ({}));
	throw new Refused(answer.status, told.error ?? `the server answers ${answer.status}`);
}

const fraction = (value, digits) => value.toLocaleString('en', { maximumFractionDigits: digits });

export function bitrate(bits) {
	if (bits >= 1e6) return `${fraction(bits / 1e6, bits < 1e7 ? 2 : 1)} Mbit/s`;
	return `${fraction(bits / 1e3, 0)} kbit/s`;
}

export const count = (number, one, many) => `${number.toLocaleString('en')} ${number === 1 ? one : many}`;

export function videoWords(track) {
	const words = [[track.codec, track.profile].filter(Boolean).join(' ')];
	if (track.width && track.height) words.push(`${track.width}\u00a0×\u00a0${track.height}`);
	const rate = track.frame_rate ?? track.frame_rate_declared;
	if (rate) words.push(`${fraction(rate, 1)}\u00a0fps`);
	return words.join(' · ');
}

export function audioWords(track) {
	const words = [track.codec];
	if (track.sample_rate) words.push(`${fraction(track.sample_rate / 1000, 1)}\u00a0kHz`);
	if (track.channels) words.push({ 1: 'mono', 2: 'stereo' }[track.channels] ?? `${track.channels} channels`);
	return words.join(' ');
}

/** Shows a health score as a number and a colour. */
export function showHealth(where, health) {
	where.hidden = !health;
	if (!health) return;
	where.dataset.is = health.score >= 90 ? 'good' : health.score >= 60 ? 'fair' : 'poor';
	say(where, `health ${health.score}`);
	where.title = `${where.dataset.is}: ${health.score} of 100`;
}

/** Shows why a health score is not 100. */
export function showReasons(list, health) {
	const texts = (health?.reasons ?? []).map((reason) => reason.text);
	list.hidden = texts.length === 0;
	if (list.dataset.shown === texts.join('\n')) return;
	list.dataset.shown = texts.join('\n');
	list.replaceChildren(...texts.map((text) => element('li', text)));
}

/** Where a camera publishes, and players play over RTMP. */
export function rtmpOrigin(server) {
	const listener = server?.listeners?.find((one) => one.protocol === 'rtmp');
	const port = listener?.address.match(/:(\d+)$/)?.[1] ?? '1935';
	return `rtmp://${location.hostname}${port === '1935' ? '' : `:${port}`}`;
}
