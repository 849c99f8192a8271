// The event of the document that asks the composer to edit a message, or to answer one. Its detail:
// `kind` is "edit" or "reply"; `key`, `id`, `name` and `text` are those of the message.

export const COMPOSE = "compose";

export function compose(kind, { key, id, name, text }) {
  document.dispatchEvent(new CustomEvent(COMPOSE, { detail: { kind, key, id, name, text } }));
}
