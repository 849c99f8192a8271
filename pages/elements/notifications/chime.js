// A soft sound of two notes, made here.

const NOTES = [[660, 0], [880, 0.12]]; // Hz, and the second at which it begins
const SECONDS = 0.35;
const VOLUME = 0.15;

let context;

export function chime() {
  // Before anybody has touched the page, browsers refuse sounds, and warn.
  if (!navigator.userActivation?.hasBeenActive) return;
  context ??= new AudioContext();
  context.resume();
  const start = context.currentTime;
  for (const [frequency, delay] of NOTES) play(frequency, start + delay);
}

function play(frequency, from) {
  const note = new OscillatorNode(context, { frequency });
  const volume = new GainNode(context, { gain: 0 });
  volume.gain.setValueAtTime(VOLUME, from);
  volume.gain.exponentialRampToValueAtTime(0.001, from + SECONDS);
  note.connect(volume).connect(context.destination);
  note.start(from);
  note.stop(from + SECONDS);
}
