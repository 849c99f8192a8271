// Who joined and left while the page is open: one line between two messages, which is no row of the
// list. It goes with the message above it.

import { findName } from "member_names";
import { isOff, SWITCHED } from "preferences";

const NAME = "joins"; // of the preference
const MEMBERS_MAX = 1_000; // in one line
const PLACE = /\{(\w+)\}/;

export class JoinNotices {
  #list;
  #rows;
  #me;
  #texts;
  #line; // the newest one
  #names = new Map(); // of all who have joined
  #onSwitched = () => isOff(NAME) && this.#removeAll();

  constructor(list, rows, { me, texts }) {
    this.#list = list;
    this.#rows = rows;
    this.#me = me;
    this.#texts = texts;
    document.addEventListener(SWITCHED, this.#onSwitched);
  }

  isShown({ author }) {
    return author !== this.#me && !isOff(NAME);
  }

  add({ author, name, joined }) {
    const line = this.#isLast(this.#line) ? this.#line : this.#begin();
    const [to, from] = joined ? [line.joined, line.left] : [line.left, line.joined];
    const known = name ?? this.#names.get(author) ?? findName(author);
    if (joined && this.#names.size < MEMBERS_MAX) this.#names.set(author, known);
    // Who comes and goes, or goes and comes, has changed nothing.
    if (!from.delete(author) && known && to.size < MEMBERS_MAX) to.set(author, known);
    this.#draw(line);
  }

  clear() {
    document.removeEventListener(SWITCHED, this.#onSwitched);
  }

  #isLast(line) {
    return line?.node.isConnected && this.#rows.last?.trailer === (this.#rows.last && line.node);
  }

  #begin() {
    const node = document.createElement("p");
    node.className = "moves";
    this.#line = { node, joined: new Map(), left: new Map() };
    return this.#line;
  }

  #draw({ node, joined, left }) {
    const parts = [...this.#describe("joined", joined), ...(joined.size && left.size ? [" · "] : []), ...this.#describe("left", left)];
    node.replaceChildren(...parts);
    if (!parts.length) return this.#remove(node);
    if (node.isConnected) return;
    const { last } = this.#rows;
    if (last) last.trailer = node;
    this.#list.insertBefore(node, last ? last.node.nextSibling : this.#list.querySelector("[data-pending]"));
  }

  #describe(kind, members) {
    if (!members.size) return [];
    const [name, other] = members.values();
    const text = this.#texts[`${kind}_${["one", "two"][members.size - 1] ?? "many"}`];
    const values = { name: drawName(name), other: drawName(other), n: String(members.size - 1) };
    return text.split(PLACE).map((part, index) => (index % 2 ? values[part] : part));
  }

  #remove(node) {
    for (const row of this.#rows) if (row.trailer === node) row.trailer = undefined;
    node.remove();
  }

  #removeAll() {
    for (const node of this.#list.querySelectorAll(":scope > .moves")) this.#remove(node);
  }
}

function drawName(name) {
  const node = document.createElement("bdi");
  node.textContent = name;
  return node;
}
