// Deletions of messages: a message is hidden at once, and deleted for everybody when its notice ends. The
// server knows what is hidden: if it loses the page meanwhile, it deletes that itself.

const ANSWER_MAX = 2_000; // ms

export class Deletion {
  #notices;
  #texts;
  #hide;
  #show;
  #send;
  #announce;
  #hidden = new Map(); // by key: the row, and its notice until the deletion is sent
  #onAnswer = () => {};

  // `announce` is called when a deletion begins (true), or is undone (false).
  constructor({ notices, texts, hide, show, send, announce }) {
    this.#notices = notices;
    this.#texts = texts;
    this.#hide = hide;
    this.#show = show;
    this.#send = send;
    this.#announce = announce;
  }

  // Whether there is one that can still be undone.
  get isPending() {
    return [...this.#hidden.values()].some(({ notice }) => notice);
  }

  // The keys of the hidden messages.
  keys() {
    return [...this.#hidden.keys()];
  }

  hides(key) {
    return this.#hidden.has(key);
  }

  // The hidden row with that key.
  find(key) {
    return this.#hidden.get(key)?.row;
  }

  // The message has changed: this row is shown if its deletion is undone.
  replace(row) {
    this.#hidden.get(row.key).row = row;
  }

  begin(row) {
    const notice = this.#notices.show(this.#texts.deleted, {
      action: this.#texts.undo,
      onAction: () => this.undo(row.key),
      onEnd: () => this.#end(row.key),
    });
    this.#hidden.set(row.key, { row, notice });
    this.#announce(row.key, true);
    this.#hide(row);
  }

  undo(key) {
    const { row } = this.#hidden.get(key);
    this.#hidden.delete(key);
    this.#announce(key, false);
    this.#show(row);
    row.node.focus({ preventScroll: true });
  }

  // Sends at once what could still be undone.
  flush() {
    for (const { notice } of this.#hidden.values()) if (notice) this.#notices.end(notice);
  }

  // Sends them, and waits until the server has answered them, or for two seconds.
  finish() {
    const keys = [...this.#hidden.keys()];
    this.flush();
    return new Promise((resolve) => {
      this.#onAnswer = () => keys.some((key) => this.#hidden.has(key)) || resolve();
      setTimeout(resolve, ANSWER_MAX);
    });
  }

  // The message is gone for everybody.
  settle(key) {
    const { notice } = this.#hidden.get(key) ?? {};
    if (notice) this.#notices.dismiss(notice);
    this.#forget(key);
  }

  // The server no longer has the message, or the page: it can no longer be undone.
  conclude(key) {
    const { notice } = this.#hidden.get(key) ?? {};
    if (notice) this.#notices.end(notice);
    this.#forget(key);
  }

  // The server did not delete the message. Returns the notice that says why.
  fail(key, reason) {
    const notice = this.#notices.show(reason, { role: "alert" });
    const { row } = this.#hidden.get(key) ?? {};
    this.#forget(key);
    if (row) this.#show(row);
    return notice;
  }

  #end(key) {
    this.#hidden.get(key).notice = null;
    this.#send(key);
  }

  #forget(key) {
    this.#hidden.delete(key);
    this.#onAnswer();
  }
}
