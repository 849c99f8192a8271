// Decides which new messages a reader is notified of, once for all tabs, and takes back what is gone.

const KEY = "notified"; // the last seq that was notified or seen, by room
const ROOMS_MAX = 100;
const WAIT = 500; // ms: in another tab the message may be seen
const LONGEST_TIMEOUT = 86_400_000; // ms; longer ones than 2 ** 31 would fire at once

export class Notifier {
  #storage;
  #choices;
  #show;
  #chime;
  #now;
  #waiting = new Map(); // the newest message to notify of, by room
  #shown = new Map(); // notifications and the message of each, by room

  // `show(message, isOpen)` returns a notification that can be closed, or nothing. `isOpen` is whether it
  // may tell who has said what.
  constructor({ storage, choices, show, chime, now = () => Date.now() }) {
    this.#storage = storage;
    this.#choices = choices;
    this.#show = show;
    this.#chime = chime;
    this.#now = now;
  }

  // `message` has its room, seq, and whether it mentions the reader; and until when it lives, if known.
  add(message) {
    const { level } = this.#choices.read(message.room);
    if (level === "none" || (level === "mentions" && !message.mentions)) return;
    if (!this.#waiting.has(message.room)) setTimeout(() => this.#notify(message.room), WAIT);
    const waiting = this.#waiting.get(message.room);
    if (!(waiting?.seq > message.seq)) this.#waiting.set(message.room, message);
  }

  // All messages of a room up to `seq` are seen.
  see(room, seq) {
    this.#claim(room, seq);
    if (this.#shown.get(room)?.message.seq <= seq) this.#close(room);
  }

  // A message was deleted.
  withdraw(room, seq) {
    if (this.#waiting.get(room)?.seq === seq) this.#waiting.delete(room);
    if (this.#shown.get(room)?.message.seq === seq) this.#close(room);
  }

  #notify(room) {
    const message = this.#waiting.get(room);
    this.#waiting.delete(room);
    if (!message || message.until <= this.#now() || !this.#claim(room, message.seq)) return;
    const { sound, shows_text } = this.#choices.read(room);
    if (sound) this.#chime();
    this.#close(room);
    const notification = this.#show(message, shows_text);
    if (!notification) return;
    const left = Math.min((message.until ?? Infinity) - this.#now(), LONGEST_TIMEOUT);
    const timer = setTimeout(() => this.#close(room), left);
    this.#shown.set(room, { notification, message, timer });
  }

  // Tells whether nothing up to this message was notified or seen before, in any tab.
  #claim(room, seq) {
    const { [room]: last = 0, ...others } = JSON.parse(this.#storage.getItem(KEY)) ?? {};
    if (last >= seq) return false;
    const rooms = Object.entries({ ...others, [room]: seq });
    this.#storage.setItem(KEY, JSON.stringify(Object.fromEntries(rooms.slice(-ROOMS_MAX))));
    return true;
  }

  #close(room) {
    const shown = this.#shown.get(room);
    if (!shown) return;
    this.#shown.delete(room);
    clearTimeout(shown.timer);
    shown.notification.close();
  }
}
