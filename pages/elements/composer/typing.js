// Who is typing: tells the others that the reader is, and names the others who are.

import { findName } from "member_names";

const INTERVAL = 3_000; // ms; the others are shown it for twice as long

export class TypingSignal {
  #send;
  #sentAt = -Infinity;

  constructor(send) {
    this.#send = send;
  }

  give() {
    if (performance.now() - this.#sentAt < INTERVAL) return;
    this.#sentAt = performance.now();
    this.#send();
  }

  // The next one is given at once, because a message has ended this one.
  end() {
    this.#sentAt = -Infinity;
  }
}

// Returns a text whose places are filled with the names of those who are typing, except the reader.
export function describeTyping({ authors, several }, me, texts) {
  if (several) return { text: texts.typing_several, names: [] };
  const names = authors.filter((author) => author !== me).map(findName).filter(Boolean);
  const text = [null, texts.typing_one, texts.typing_two, texts.typing_three][names.length];
  return text === undefined ? { text: texts.typing_several, names: [] } : { text, names };
}
