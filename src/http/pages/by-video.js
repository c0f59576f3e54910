// What the players share that let a `<video>` show the stream.

/** Begins to play; a browser that wants to be asked first has its user asked. */
export function play(video, report) {
	video.play().catch((error) => {
		if (error.name === 'NotAllowedError') report.needsGesture(() => play(video, report));
	});
}

/** Takes from a video what it plays, and with it decoder and buffers. */
export function empty(video) {
	video.removeAttribute('src');
	video.load();
}
