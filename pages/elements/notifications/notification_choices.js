// What each room may notify its reader of. This browser alone knows it.

const KEY = "notifications";
const ROOMS_MAX = 100; // those whose choices are the oldest are forgotten
const DEFAULTS = { level: "mentions", sound: false, shows_text: false };

export class NotificationChoices {
  #storage;

  constructor(storage) {
    this.#storage = storage;
  }

  read(room) {
    return { ...DEFAULTS, ...this.#readAll()[room] };
  }

  write(room, changes) {
    const { [room]: previous, ...others } = this.#readAll();
    const rooms = Object.entries({ ...others, [room]: { ...DEFAULTS, ...previous, ...changes } });
    this.#storage.setItem(KEY, JSON.stringify(Object.fromEntries(rooms.slice(-ROOMS_MAX))));
  }

  #readAll() {
    return JSON.parse(this.#storage.getItem(KEY)) ?? {};
  }
}
