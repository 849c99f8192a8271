// The keys that lead to another room: Alt with arrows to those of the sidebar, Ctrl+K to any.

const STEPS = { ArrowDown: 1, ArrowUp: -1 };

const isMac = /^(Mac|iP)/.test(navigator.platform);

export default {
  emits: ["switch"],
  render: () => Vue.h("span", { hidden: true }),
  mounted() {
    document.addEventListener("keydown", this.onKeydown);
  },
  unmounted() {
    document.removeEventListener("keydown", this.onKeydown);
  },
  methods: {
    onKeydown(event) {
      // In a text, Alt and an arrow move the caret; on a Mac, Ctrl+K deletes to the end of the line.
      const isText = event.target.value || (isMac && event.target.matches("input, textarea"));
      const step = event.altKey && !isText && STEPS[event.key];
      const switches = (isMac ? event.metaKey : event.ctrlKey) && event.code === "KeyK"; // in any layout
      if ((!step && !switches) || document.querySelector("dialog[open]")) return;
      event.preventDefault();
      if (switches) return event.repeat || this.$emit("switch");
      if (!event.shiftKey) openNeighbour(step);
      else if (step > 0) openNextUnread();
    },
  },
};

function openNeighbour(step) {
  const links = listLinks();
  const current = links.findIndex((link) => link.ariaCurrent);
  const next = current < 0 && step < 0 ? -1 : (current + step) % links.length;
  links.at(next)?.click();
}

function openNextUnread() {
  const links = listLinks();
  const current = links.findIndex((link) => link.ariaCurrent);
  const others = [...links.slice(current + 1), ...links.slice(0, Math.max(current, 0))];
  others.find((link) => link.querySelector("[data-unread]:not([hidden])"))?.click();
}

function listLinks() {
  return [...document.querySelectorAll(".sidebar-room")];
}
