// The keys that move the focus between the rows of a list, which is one tab stop (WAI-ARIA "roving
// tabindex"). Up and down lead to the neighbouring rows, to the sides also to the links and buttons of
// a row.

const LINES = { ArrowDown: 1, ArrowUp: -1 };
const SIDES = { ArrowRight: 1, ArrowLeft: -1 };

export class RovingTabindex {
  #rows;
  #stop = null; // the only element of the rows that Tab reaches; none in a list that is a stop itself

  constructor(list, rows) {
    this.#rows = rows;
    list.addEventListener("keydown", (event) => this.#onKey(event));
    list.addEventListener("focusin", ({ target }) => this.#stop && this.#setStop(this.#find(target)));
  }

  // Takes a row, which is about to be shown, out of the tab order.
  add(row) {
    for (const target of row.targets) target.tabIndex = -1;
  }

  // Keeps a row in the tab order after rows were drawn again or removed.
  update() {
    if (!this.#stop?.isConnected) this.#setStop(this.#find(this.#stop) ?? this.#rows.first);
  }

  #find(element) {
    return this.#rows.get(element?.closest("[data-key]")?.dataset.key);
  }

  #setStop(row) {
    if (!row) return;
    if (this.#stop) this.#stop.tabIndex = -1;
    [this.#stop] = row.targets;
    this.#stop.tabIndex = 0;
  }

  #onKey(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const next = this.#findNext(event.key, event.target);
    if (!next) return;
    next.focus();
    event.preventDefault();
  }

  #findNext(key, target) {
    const row = this.#find(target);
    if (key === "Home" || (key === "ArrowDown" && !row)) return this.#rows.first?.targets[0];
    if (key === "End" || (key === "ArrowUp" && !row)) return this.#rows.last?.targets[0];
    if (row && key in LINES) return this.#rows.neighbour(row, LINES[key] * this.#countColumns())?.targets[0];
    if (row && key in SIDES) return this.#findBeside(row, target, SIDES[key]);
  }

  #countColumns() {
    const { first } = this.#rows;
    let count = 1;
    while (this.#rows.neighbour(first, count)?.node.offsetTop === first.node.offsetTop) count += 1;
    return count;
  }

  #findBeside(row, target, step) {
    const targets = visibleTargets(row);
    const neighbour = this.#rows.neighbour(row, step);
    return targets[targets.indexOf(target) + step] ?? (neighbour && visibleTargets(neighbour).at(step > 0 ? 0 : -1));
  }
}

function visibleTargets(row) {
  return row.targets.filter((target) => target.checkVisibility());
}
