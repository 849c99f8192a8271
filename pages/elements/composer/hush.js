// Why the reader cannot write just now: they are muted, or only those who keep order may write.

const FOREVER = -1;
const LONGEST = 86_400_000; // ms; timeouts of more than 2 ** 31 would fire at once

export class Hush {
  #standing;
  #timer;
  #onEnd;

  // `standing` has the role, and in `muted_until` when a mute ends: 0 for none, -1 for never.
  constructor(standing, onEnd) {
    this.#onEnd = onEnd;
    this.set(standing);
  }

  get role() {
    return this.#standing.role;
  }

  get isMuted() {
    const { muted_until: until } = this.#standing;
    return until === FOREVER || until > Date.now();
  }

  set(standing) {
    this.#standing = standing;
    this.clear();
    const { muted_until: until } = standing;
    if (this.isMuted && until !== FOREVER) this.#timer = setTimeout(() => this.#check(), Math.min(until - Date.now(), LONGEST));
  }

  clear() {
    clearTimeout(this.#timer);
  }

  describe(isPaused, texts) {
    const { role, muted_until: until } = this.#standing;
    if (this.isMuted) return until === FOREVER ? texts.muted : texts.muted_until.replace("{}", formatMoment(until));
    return isPaused && !role ? texts.paused : "";
  }

  #check() {
    if (this.isMuted) this.set(this.#standing);
    else this.#onEnd();
  }
}

function formatMoment(milliseconds) {
  const moment = new Date(milliseconds);
  const isToday = moment.toDateString() === new Date().toDateString();
  const day = isToday ? {} : { day: "numeric", month: "long" };
  return moment.toLocaleString(document.documentElement.lang, { ...day, hour: "2-digit", minute: "2-digit" });
}
