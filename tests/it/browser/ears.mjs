// Hears what a page plays.

/**
 * Runs in the page, where it stands alone: `window.pitch()` is the loudest tone in what the page
 * plays, in hertz, or null where it plays nothing or only silence.
 */
export function installEars() {
  const SILENCE_DECIBELS = -60;
  let ear = null;

  // What a page plays with WebAudio passes by here.
  const { connect } = AudioNode.prototype;
  AudioNode.prototype.connect = function (to, ...rest) {
    if (to instanceof AudioDestinationNode) {
      ear = new AnalyserNode(this.context, { fftSize: 4096 });
      connect.call(this, ear);
    }
    return connect.call(this, to, ...rest);
  };

  /** What a video plays, if there is one, passes by there from now on. */
  window.listenTo = (video) => {
    if (!video) return;
    const context = new AudioContext();
    context.createMediaElementSource(video).connect(context.destination);
  };

  window.pitch = () => {
    if (ear?.context.state !== 'running') return null;
    const levels = new Float32Array(ear.frequencyBinCount);
    ear.getFloatFrequencyData(levels);
    const loudest = levels.reduce((best, level, at) => (level > levels[best] ? at : best), 0);
    if (levels[loudest] < SILENCE_DECIBELS) return null;
    return (loudest * ear.context.sampleRate) / ear.fftSize;
  };
}
