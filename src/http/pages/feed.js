// The bytes of a live stream, over a WebSocket or as the endless body of an answer.
//
// A WebSocket is tried first: browsers allow many of them to one server, but only six bodies. Where
// there is none, the next try is a body, since not everything on the way lets WebSockets through.

/** Nothing came for so long: the connection is taken for dead. A server keeps a live stream open
		for ten seconds while its camera is away. */
const SILENCE_MS = 15_000;
/** The server holds a request for a while when nobody publishes yet. */
const OPENING_MS = 40_000;

/** What a status says to somebody who wants to see a live stream. */
export const refusalWords = (status) => (status === 404 ? 'Nobody publishes this live stream' : `The server answers ${status}`);

export const UNREACHABLE = 'The server cannot be reached';

let isBodyNext = false;

/** Calls `onBytes` with pieces as they come, and `onEnd` once, with a text for a person. */
export class Feed {
	constructor(path, onBytes, onEnd) {
		this.onBytes = onBytes;
		this.onEnd = onEnd;
		this.isOver = false;
		this.watch(OPENING_MS);
		if (isBodyNext) this.openBody(path);
		else this.openSocket(path);
		isBodyNext = !isBodyNext;
	}

	close() {
		this.isOver = true;
		clearTimeout(this.timer);
		this.socket?.close();
		this.aborter?.abort();
	}

	watch(patience) {
		clearTimeout(this.timer);
		this.timer = setTimeout(() => this.end('Nothing comes any more'), patience);
	}

	take(bytes) {
		if (this.isOver) return;
		this.watch(SILENCE_MS);
		this.onBytes(bytes);
	}

	end(text) {
		if (this.isOver) return;
		this.close();
		this.onEnd(text);
	}

	openSocket(path) {
		let socket;
		try {
			socket = new WebSocket(`${location.origin.replace(/^http/, 'ws')}${path}`);
		} catch {
			queueMicrotask(() => this.end(UNREACHABLE));
			return;
		}
		let isOpen = false;
		socket.binaryType = 'arraybuffer';
		socket.onopen = () => {
			isOpen = true;
			// What worked works again.
			isBodyNext = false;
			this.watch(SILENCE_MS);
		};
		socket.onmessage = ({ data }) => this.take(new Uint8Array(data));
		socket.onclose = ({ code }) => {
			if (code === 1000) this.end('The live stream has ended');
			else if (isOpen) this.end('The connection was lost');
			else this.explain(path);
		};
		this.socket = socket;
	}

	/** Why there is no WebSocket, which browsers keep to themselves. */
	async explain(path) {
		const answer = await fetch(path, { method: 'HEAD', cache: 'no-store' }).catch(() => null);
		// The server is well and has waited for somebody to publish.
		const status = answer?.ok ? 404 : answer?.status;
		this.end(status ? refusalWords(status) : UNREACHABLE);
	}

	async openBody(path) {
		this.aborter = new AbortController();
		try {
			const answer = await fetch(path, { signal: this.aborter.signal, cache: 'no-store' });
			if (!answer.ok) {
				this.end(refusalWords(answer.status));
				return;
			}
			const reader = answer.body.getReader();
			for (;;) {
				const { done, value } = await reader.read();
				if (done) break;
				this.take(value);
			}
			this.end('The live stream has ended');
		} catch {
			this.end(UNREACHABLE);
		}
	}
}
