// Whom this browser has met in a room, so that a reader knows who is new and who only has the name of
// somebody else. It is kept in this browser alone, without a readable name or room.

const KEY = "met";
const ROOMS_MAX = 50;
const PEOPLE_MAX = 500; // in all rooms together
const DAYS_MAX = 30;
const DAY = 86_400_000; // ms
const MINUTE = 60_000; // ms

export class Acquaintances {
  #storage;
  #texts;
  #now;
  #relative;
  #salt;
  #room;
  #people; // by hash of the pseudonym: [name, badge, first day, last day before today, last day, is new]
  #keysByName = new Map(); // the keys of those who have it, the first one first
  #isFirstVisit;

  // `texts` has `same`, with "{}" for the day, `impostor` and `fresh`.
  constructor({ storage, room, language, texts, now = () => Date.now() }) {
    this.#storage = storage;
    this.#texts = texts;
    this.#now = now;
    this.#relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
    const { salt, rooms } = this.#read();
    this.#salt = salt;
    this.#room = this.#hash(room);
    this.#isFirstVisit = !(this.#room in rooms);
    this.#people = rooms[this.#room] ?? {};
    for (const [key, [name]] of Object.entries(this.#people)) this.#keepName(name, key);
  }

  // Remembers who is in the room now; those who come from now on are new.
  meet(people) {
    if (!this.#people) return;
    for (const person of people) this.#meetOne(person);
    this.#isFirstVisit = false;
    this.#save();
  }

  // Returns what is known of a person who was met: "" if that says nothing.
  describe({ author }) {
    const key = this.#hash(author);
    const [name, badge, , before, , isNew] = this.#people[key];
    const { same, impostor, fresh } = this.#texts;
    if (before) return same.replace("{}", this.#relative.format(before - this.#today(), "day"));
    if (Object.keys(this.#people).length > PEOPLE_MAX) return ""; // others are forgotten
    if (this.#findNamesakes(key, name).some(([, theirs]) => !badge || theirs !== badge)) return impostor;
    return isNew ? fresh : "";
  }

  forget() {
    this.#people = undefined;
    this.#save();
  }

  #meetOne({ author, name, badge }) {
    const [today, key] = [this.#today(), this.#hash(author)];
    const [nameHash, badgeHash] = [this.#hash(name), badge && this.#hash(badge)];
    // A badge proves who it is, under another pseudonym.
    const known = this.#people[key] ?? this.#findNamesakes(key, nameHash).find(([, theirs]) => badge && theirs === badgeHash);
    const [, , first, before, last, isNew] = known ?? [0, 0, today, 0, today, this.#isFirstVisit ? 0 : 1];
    this.#keepName(nameHash, key);
    this.#people[key] = [nameHash, badgeHash, first, last < today ? last : before, today, isNew];
  }

  #keepName(name, key) {
    const keys = this.#keysByName.get(name) ?? [];
    if (!keys.includes(key)) this.#keysByName.set(name, [...keys, key]);
  }

  // Others who had the name before.
  #findNamesakes(key, name) {
    const keys = this.#keysByName.get(name) ?? [];
    const index = keys.indexOf(key);
    return (index < 0 ? keys : keys.slice(0, index)).map((each) => this.#people[each]);
  }

  // Other tabs may have stored other rooms meanwhile.
  #save() {
    const { rooms } = this.#read();
    delete rooms[this.#room];
    if (this.#people) rooms[this.#room] = { ...this.#people };
    const kept = Object.entries(rooms).slice(-ROOMS_MAX);
    const days = kept.flatMap(([, people]) => Object.values(people).map((person) => person[4])).sort((a, b) => b - a);
    const oldest = Math.max(this.#today() - DAYS_MAX, days[PEOPLE_MAX - 1] ?? 0);
    let left = PEOPLE_MAX;
    for (const [, people] of kept.reverse()) {
      for (const [key, person] of Object.entries(people).reverse()) {
        if (person[4] < oldest || left <= 0) delete people[key];
        else left -= 1;
      }
    }
    this.#storage.setItem(KEY, JSON.stringify({ salt: this.#salt, rooms: Object.fromEntries(kept.reverse()) }));
  }

  #read() {
    const stored = this.#storage.getItem(KEY);
    if (stored) return JSON.parse(stored);
    const empty = { salt: crypto.getRandomValues(new Uint32Array(2)).join("-"), rooms: {} };
    this.#storage.setItem(KEY, JSON.stringify(empty)); // other tabs must not choose another salt
    return empty;
  }

  #today() {
    const now = this.#now();
    return Math.floor((now - new Date(now).getTimezoneOffset() * MINUTE) / DAY);
  }

  // Returns a hash with a letter in front, without which an object would put its keys in another order.
  #hash(text) {
    let [high, low] = [0xdeadbeef, 0x41c6ce57];
    for (const unit of `${this.#salt} ${text}`) {
      high = Math.imul(high ^ unit.codePointAt(0), 2654435761);
      low = Math.imul(low ^ unit.codePointAt(0), 1597334677);
    }
    high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
    low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
    return `h${(high >>> 0).toString(36)}${(low >>> 0).toString(36)}`;
  }
}
