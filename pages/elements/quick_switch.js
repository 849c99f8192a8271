// A combobox over rooms: those of the sidebar, found here by prefix or by letters in order, then public
// ones, which the server finds.

import { openPath } from "navigation";
import { dismissReason, showReason } from "reason";

const QUERY_DELAY = 120; // ms
const STEPS = { ArrowDown: 1, ArrowUp: -1 };

export default {
  props: { label: String, placeholder: String, max_characters: Number, none: String },
  emits: ["query", "pick"],
  data: () => ({ words: "", found: [], answered: "", active: 0, isBusy: false }),
  render() {
    const id = `${this.$attrs.id}-options`;
    const { options } = this;
    const isMissing = !options.length && this.answered === this.words;
    return Vue.h("form", { class: "quick-switch", "aria-busy": this.isBusy ? "true" : undefined, onSubmit: this.onSubmit }, [
      Vue.h("div", { class: "field" }, [
        Vue.h("i", { class: "icon icon-search", "aria-hidden": "true" }),
        Vue.h("input", {
          ref: "box",
          role: "combobox",
          type: "text",
          "aria-label": this.label,
          "aria-expanded": String(options.length > 0),
          "aria-autocomplete": "list",
          "aria-controls": id,
          "aria-activedescendant": options.length ? `${id}-${this.active}` : undefined,
          placeholder: this.placeholder,
          autocomplete: "off",
          autofocus: true,
          enterkeyhint: "go",
          maxlength: this.max_characters,
          onInput: this.onInput,
          onKeydown: this.onKeydown,
        }),
      ]),
      Vue.h("p", { ref: "alert", role: "alert", class: "alert" }),
      Vue.h("p", { role: "status", class: "hint" }, isMissing && this.words ? this.none : ""),
      Vue.h(
        "ul",
        { ref: "list", id, role: "listbox", class: "room-options", "aria-label": this.label, hidden: !options.length },
        options.map((option, index) =>
          Vue.h(
            "li",
            {
              id: `${id}-${index}`,
              role: "option",
              "aria-selected": String(index === this.active),
              onMousedown: (event) => event.preventDefault(), // the box keeps the focus
              onClick: () => this.choose(option),
            },
            [Vue.h("bdi", option.name), Vue.h("small", option.note)],
          ),
        ),
      ),
    ]);
  },
  created() {
    this.own = readOwnRooms();
  },
  unmounted() {
    clearTimeout(this.timer);
  },
  updated() {
    this.$refs.list.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  },
  computed: {
    options() {
      const own = this.own.map((room) => ({ ...room, rank: rank(room.name, this.words) }));
      const matching = own.filter((room) => room.rank < Infinity).sort((one, other) => one.rank - other.rank);
      return [...matching, ...this.found.filter(({ slug }) => !this.own.some((room) => room.slug === slug))];
    },
  },
  methods: {
    onInput() {
      dismissReason(this.$refs.alert);
      this.words = this.$refs.box.value.trim();
      this.found = [];
      this.active = 0;
      this.isBusy = false;
      clearTimeout(this.timer);
      if (this.words) this.timer = setTimeout(() => this.$emit("query", this.words), QUERY_DELAY);
    },
    onKeydown(event) {
      const step = STEPS[event.key];
      const count = this.options.length;
      if (!step || !count || event.isComposing || event.altKey) return;
      event.preventDefault();
      this.active = (this.active + step + count) % count;
    },
    onSubmit(event) {
      event.preventDefault();
      const option = this.options[this.active];
      if (option && !this.isBusy) this.choose(option);
      // What was typed last may not be answered yet.
      else if (this.words && this.answered !== this.words) this.isBusy = true;
    },
    choose({ slug, href }) {
      if (href) {
        this.close();
        return openPath(href);
      }
      this.isBusy = true;
      this.$emit("pick", slug);
    },
    show(words, found) {
      if (words !== this.words) return;
      this.found = found;
      this.answered = words;
      const waits = this.isBusy;
      this.isBusy = false;
      if (waits && this.options.length) this.choose(this.options[0]);
    },
    fail(reason, seconds) {
      this.isBusy = false;
      showReason(this.$refs.alert, reason, seconds);
    },
    close() {
      this.$el.closest("dialog").close();
    },
  },
};

function readOwnRooms() {
  return [...document.querySelectorAll(".sidebar-room")].map((link) => {
    const unread = link.querySelector("[data-unread]:not([hidden])")?.textContent.trim() ?? "";
    const href = link.getAttribute("href");
    return { href, slug: decodeURI(href.split("/").at(-1)), name: link.querySelector("bdi").textContent, note: unread };
  });
}

// How well a name matches: it begins with the words, a word of it does, it contains them, or their letters
// in this order.
function rank(name, words) {
  const [text, query] = [fold(name), fold(words)];
  if (text.startsWith(query)) return 0;
  if (text.includes(` ${query}`)) return 1;
  if (text.includes(query)) return 2;
  let position = -1;
  for (const letter of query.replaceAll(" ", "")) {
    position = text.indexOf(letter, position + 1);
    if (position < 0) return Infinity;
  }
  return 3;
}

function fold(text) {
  return text.normalize("NFKC").toLowerCase().normalize("NFKC");
}
