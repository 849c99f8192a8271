// The server's time, and how moments read in the reader's language.

const SECOND = 1_000;
const MINUTE = 60_000;
const UNITS = [ // name, size, used from
  ["day", 1_440 * MINUTE, 2_880 * MINUTE],
  ["hour", 60 * MINUTE, 60 * MINUTE],
  ["minute", MINUTE, MINUTE],
];

export class Times {
  #ahead; // so far the server's clock is ahead of this one
  #language;
  #clock;
  #day;
  #full;
  #since;
  #near;
  #left;

  constructor(language, now) {
    const locale = navigator.languages.find((tag) => tag.split("-")[0] === language) || language;
    this.#language = language;
    this.#clock = new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit" });
    this.#day = new Intl.DateTimeFormat(locale, { weekday: "long", day: "numeric", month: "long" });
    this.#full = new Intl.DateTimeFormat(locale, { dateStyle: "long", timeStyle: "medium" });
    this.#since = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
    this.#near = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
    this.#left = Object.fromEntries(UNITS.map(([unit]) => [unit, countOf(unit, language)]));
    const [page] = performance.getEntriesByType("navigation");
    this.#ahead = now - performance.timeOrigin - page.requestStart; // rather too much than too little
  }

  // The server's clock said `now` at some moment since a question left here.
  set(now, asked) {
    this.#ahead = Math.min(Math.max(this.#ahead, now - Date.now()), now - asked);
  }

  left(moment) {
    return moment - Date.now() - this.#ahead;
  }

  write(time) {
    const moment = new Date(time.dateTime);
    time.textContent = this.#clock.format(moment);
    time.title = this.#full.format(moment);
  }

  nameDay(moment) {
    const day = new Date(moment);
    const away = Math.round((new Date(day.toDateString()) - new Date(new Date().toDateString())) / UNITS[0][1]);
    const name = away > -2 ? this.#near.format(away, "day") : this.#day.format(day);
    return name.charAt(0).toLocaleUpperCase(this.#language) + name.slice(1);
  }

  // How long it is until a moment, or since, and for how long these words are true.

  sayLeft(moment) {
    const left = Math.max(0, this.left(moment));
    const seconds = Math.ceil(left / SECOND);
    if (seconds <= 60) {
      const words = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
      return [words, seconds ? left - (seconds - 1) * SECOND : Infinity];
    }
    const most = Math.ceil(left / MINUTE) * MINUTE; // never more than is left, but for the minute begun
    const [unit, size] = UNITS.find(([, , from]) => most >= from);
    const count = Math.floor(most / size);
    return [this.#left[unit].format(count), left - (count * size - MINUTE)];
  }

  saySince(moment) {
    const since = Math.max(0, -this.left(moment));
    const [unit, size] = UNITS.find(([, size]) => since >= size) || UNITS.at(-1);
    return [this.#since.format(-Math.floor(since / size), unit), size - (since % size)];
  }
}

function countOf(unit, language) {
  return new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "short" });
}
