// A grid of emoji, each a button; the arrow keys lead from one to the next (WAI-ARIA "grid").

const COLUMNS = 7;

export class EmojiGrid {
  node = document.createElement("div");
  #texts;
  #onChoose;
  #onLeave;
  #rows = []; // of buttons

  // `onLeave` is called to move the focus to what is above the grid.
  constructor(texts, { onChoose, onLeave }) {
    this.#texts = texts;
    this.#onChoose = onChoose;
    this.#onLeave = onLeave;
    this.node.className = "emoji-grid";
    this.node.role = "grid";
    this.node.ariaLabel = texts.label;
    this.node.addEventListener("click", ({ target }) => this.#onClick(target.closest("button")));
    this.node.addEventListener("focusin", ({ target }) => this.#setStop(target));
    this.node.addEventListener("keydown", (event) => this.#onKey(event));
  }

  show(found, { isGrouped }) {
    const groups = isGrouped ? Map.groupBy(found, ({ group }) => group) : new Map([[null, found]]);
    this.#rows = [];
    this.node.replaceChildren(...Array.from(groups, ([group, emoji]) => this.#drawGroup(group, emoji)));
    this.node.scrollTop = 0;
    this.#setStop(this.#rows[0]?.[0]);
  }

  showGroup(index) {
    const group = this.node.children[index];
    group?.scrollIntoView({ block: "start" });
    group?.querySelector("button").focus({ preventScroll: true });
  }

  focus() {
    this.node.querySelector("[tabindex='0']")?.focus();
  }

  chooseFirst() {
    this.#onClick(this.#rows[0]?.[0]);
  }

  #drawGroup(group, emoji) {
    const node = document.createElement("div");
    node.role = "rowgroup";
    node.className = "emoji-group";
    if (group !== null) node.ariaLabel = this.#texts.groups[group][1]; // the style sheet shows it as a heading
    for (let start = 0; start < emoji.length; start += COLUMNS) {
      const row = document.createElement("div");
      row.role = "row";
      const buttons = emoji.slice(start, start + COLUMNS).map(drawButton);
      row.append(...buttons.map(drawCell));
      this.#rows.push(buttons);
      node.append(row);
    }
    node.style.setProperty("--rows", Math.ceil(emoji.length / COLUMNS)); // its height while it is not drawn
    return node;
  }

  #onClick(button) {
    if (button) this.#onChoose(button.textContent);
  }

  #setStop(button) {
    if (!button) return;
    for (const each of this.node.querySelectorAll("[tabindex='0']")) each.tabIndex = -1;
    button.tabIndex = 0;
  }

  #onKey(event) {
    const next = this.#findNext(event);
    if (next === undefined) return;
    event.preventDefault();
    if (next) next.focus();
    else this.#onLeave();
  }

  // Returns the button that a key leads to, or null above the first row.
  #findNext({ key, target, ctrlKey }) {
    const rows = this.#rows;
    const y = rows.findIndex((row) => row.includes(target));
    const x = rows[y]?.indexOf(target);
    if (y < 0) return undefined;
    if (key === "ArrowRight") return rows[y][x + 1] ?? rows[y + 1]?.[0] ?? target;
    if (key === "ArrowLeft") return rows[y][x - 1] ?? rows[y - 1]?.at(-1) ?? target;
    if (key === "ArrowDown") return rows[y + 1]?.[x] ?? rows[y + 1]?.at(-1) ?? target;
    if (key === "ArrowUp") return y ? (rows[y - 1][x] ?? rows[y - 1].at(-1)) : null;
    if (key === "Home") return rows[ctrlKey ? 0 : y][0];
    if (key === "End") return rows[ctrlKey ? rows.length - 1 : y].at(-1);
  }
}

function drawButton({ emoji, name, codes }) {
  const button = document.createElement("button");
  const title = `${name} :${codes[0]}:`;
  Object.assign(button, { type: "button", tabIndex: -1, textContent: emoji, ariaLabel: name, title });
  return button;
}

function drawCell(button) {
  const cell = document.createElement("div");
  cell.role = "gridcell";
  cell.append(button);
  return cell;
}
