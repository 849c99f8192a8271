// What rows that answer a message show of it: taken from its row, or else from the server, which is
// asked again when that message has changed.

const ASKED_MAX = 20; // at once, as many as the server answers
const LENGTH = 120;
const SPOILERS = /\|\|.*?(\|\||$)/gs; // the last one may have lost its end
const LONGEST_TIMEOUT = 86_400_000; // ms; longer ones than 2 ** 31 would fire at once

export class Quotes {
  #rows;
  #times;
  #texts;
  #read;
  #ask;
  #open;
  #keys = new Map(); // of the rows on the page, by id
  #answers = new Map(); // sets of the keys of rows, by the id of the message that they answer
  #found = new Map(); // what the server has told, by id: null of a message that is gone
  #asked = new Set();
  #askTimer = null;
  #expiryTimer = null;

  // `read` returns the text of a row. `ask` is called with ids, and the answer given to `receive`; `open` is called with an id.
  constructor(rows, times, { texts, read, ask, open }) {
    this.#rows = rows;
    this.#times = times;
    this.#texts = texts;
    this.#read = read;
    this.#ask = ask;
    this.#open = open;
  }

  // Fills in what a row, which is about to be shown, answers.
  draw(row) {
    const id = repliesTo(row);
    if (!id) return;
    this.#answers.set(id, (this.#answers.get(id) ?? new Set()).add(row.key));
    this.#render(row, id);
  }

  // A row is shown, which others may answer.
  add(row) {
    this.#keys.set(row.id, row.key);
    this.#renderAnswers(row.id);
  }

  remove(row) {
    this.#keys.delete(row.id);
    const id = repliesTo(row);
    const others = this.#answers.get(id);
    others?.delete(row.key);
    if (others?.size === 0) {
      this.#answers.delete(id);
      this.#found.delete(id);
    }
    this.#renderAnswers(row.id);
  }

  // The message with that key was changed or deleted.
  forget(key) {
    for (const [id, found] of this.#found) if (found?.key === key) this.#forget(id);
  }

  // What was told may be outdated.
  reset() {
    this.#asked.clear();
    for (const id of [...this.#found.keys(), ...this.#answers.keys()]) this.#forget(id);
  }

  receive(ids, found) {
    for (const id of ids) {
      this.#asked.delete(id);
      if (!this.#answers.has(id)) continue;
      this.#found.set(id, found[id] ?? null);
      this.#renderAnswers(id);
    }
    this.#expire();
  }

  clear() {
    clearTimeout(this.#askTimer);
    clearTimeout(this.#expiryTimer);
  }

  #forget(id) {
    this.#found.delete(id);
    this.#renderAnswers(id);
  }

  #renderAnswers(id) {
    for (const key of this.#answers.get(id) ?? []) {
      const row = this.#rows.get(key);
      if (row) this.#render(row, id);
    }
  }

  #render(row, id) {
    const box = row.node.querySelector("[data-reply]");
    const original = this.#rows.get(this.#keys.get(id));
    const quoted = original ? this.#describe(original) : this.#found.get(id);
    if (quoted === undefined) this.#askSoon();
    if (!quoted) return (box.textContent = quoted === null ? this.#texts.reply_gone : "");
    const link = create("a", "");
    const [before, after] = this.#texts.in_reply.split("{}");
    link.href = addressOf(id);
    link.append(before, create("bdi", quoted.name), after);
    box.replaceChildren(link, ` ${isolate(shorten(quoted.text))}`);
    box.onclick = (event) => {
      event.preventDefault();
      this.#open(id);
    };
  }

  #describe(row) {
    return { name: row.node.querySelector(".who").textContent, text: this.#read(row) };
  }

  #askSoon() {
    this.#askTimer ??= setTimeout(() => {
      this.#askTimer = null;
      const ids = [...this.#answers.keys()].filter((id) => this.#isUnknown(id)).slice(0, ASKED_MAX);
      if (!ids.length || this.#asked.size) return; // after an answer, the next ones are asked about
      ids.forEach((id) => this.#asked.add(id));
      this.#ask(ids);
    }, 0);
  }

  #isUnknown(id) {
    return !this.#keys.has(id) && !this.#found.has(id);
  }

  // Removes the texts of messages that have expired, and looks again when the next one does.
  #expire() {
    clearTimeout(this.#expiryTimer);
    let next = Infinity;
    for (const [id, found] of this.#found) {
      if (!found) continue;
      if (found.until <= this.#times.now()) {
        this.#found.set(id, null);
        this.#renderAnswers(id);
      } else next = Math.min(next, found.until);
    }
    if ([...this.#answers.keys()].some((id) => this.#isUnknown(id))) this.#askSoon();
    if (next === Infinity) return;
    const delay = Math.min(this.#times.timeLeft(next), LONGEST_TIMEOUT);
    this.#expiryTimer = setTimeout(() => this.#expire(), delay);
  }
}

// The address of a message in the room that the page shows.
export function addressOf(id) {
  return `${window.location.origin}${window.location.pathname}?message=${encodeURIComponent(id)}`;
}

// A text without what only those may read who open it.
export function hideSpoilers(text) {
  return text.replace(SPOILERS, "▒▒▒");
}

function shorten(text) {
  return hideSpoilers(text).slice(0, LENGTH);
}

function repliesTo({ node }) {
  return node.querySelector("[data-reply]")?.dataset.reply;
}

// Keeps the direction of a text from that of the texts around it.
function isolate(text) {
  return `\u2068${text}\u2069`;
}

function create(tag, text) {
  const node = document.createElement(tag);
  node.textContent = text;
  return node;
}
