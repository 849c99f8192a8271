// The server's time, and times formatted in the reader's language.

const SECOND = 1_000;
const MINUTE = 60_000;
const UNITS = [ // name, size in ms, smallest duration in ms shown in this unit
  ["day", 1_440 * MINUTE, 2_880 * MINUTE],
  ["hour", 60 * MINUTE, 60 * MINUTE],
  ["minute", MINUTE, MINUTE],
];

let offset; // ms by which the server's clock is ahead of this one; the same for all lists

export class Times {
  #language;
  #clock;
  #day;
  #full;
  #relative;
  #relativeDay;
  #units;

  constructor(language, now) {
    const locale = navigator.languages.find((tag) => tag.split("-")[0] === language) || language;
    this.#language = language;
    this.#clock = new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit" });
    this.#day = new Intl.DateTimeFormat(locale, { weekday: "long", day: "numeric", month: "long" });
    this.#full = new Intl.DateTimeFormat(locale, { dateStyle: "long", timeStyle: "medium" });
    this.#relative = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
    this.#relativeDay = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
    this.#units = Object.fromEntries(UNITS.map(([unit]) => [unit, unitFormat(unit, language)]));
    offset ??= now - requestStart(); // an upper bound
  }

  // Corrects the offset: the server's clock read `now` after a request sent at `sentAt`.
  synchronise(now, sentAt) {
    offset = Math.min(Math.max(offset, now - Date.now()), now - sentAt);
  }

  now() {
    return Date.now() + offset;
  }

  timeLeft(moment) {
    return moment - this.now();
  }

  render(time) {
    const moment = new Date(time.dateTime);
    time.textContent = this.#clock.format(moment);
    time.title = this.#full.format(moment);
  }

  formatDay(moment) {
    const day = new Date(moment);
    const daysAway = Math.round((new Date(day.toDateString()) - new Date(new Date().toDateString())) / UNITS[0][1]);
    const name = daysAway > -2 ? this.#relativeDay.format(daysAway, "day") : this.#day.format(day);
    return name.charAt(0).toLocaleUpperCase(this.#language) + name.slice(1);
  }

  // These return the text of the time until or since a moment, and for how many ms it is valid.

  formatLeft(moment) {
    const left = Math.max(0, this.timeLeft(moment));
    const seconds = Math.ceil(left / SECOND);
    if (seconds <= 60) {
      const text = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
      return [text, seconds ? left - (seconds - 1) * SECOND : Infinity];
    }
    const rounded = Math.ceil(left / MINUTE) * MINUTE; // at most one minute more than is left
    const [unit, size] = UNITS.find(([, , from]) => rounded >= from);
    const count = Math.floor(rounded / size);
    return [this.#units[unit].format(count), left - (count * size - MINUTE)];
  }

  formatSince(moment) {
    const since = Math.max(0, -this.timeLeft(moment));
    const [unit, size] = UNITS.find(([, size]) => since >= size) || UNITS.at(-1);
    return [this.#relative.format(-Math.floor(since / size), unit), size - (since % size)];
  }
}

// When this page was requested.
function requestStart() {
  const [page] = performance.getEntriesByType("navigation");
  return performance.timeOrigin + page.requestStart;
}

function unitFormat(unit, language) {
  return new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "short" });
}
