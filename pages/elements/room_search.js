// A combobox over rooms (WAI-ARIA "editable combobox with list autocomplete").

const COMPOSING = 229; // keyCode in Safari of the Enter key that confirms an IME composition
const QUERY_DELAY = 120; // ms
const REFRESH_DELAY = 1500; // ms; rooms change while the list is open

export default {
  props: { label: String, placeholder: String, button_label: String, max_characters: Number },
  emits: ["query", "open", "pick"],
  // picked: a slug, kept after its room has ended
  data: () => ({ options: [], picked: null, reason: "" }),
  render() {
    const id = this.$.uid;
    const shown = this.options.length > 0;
    return Vue.h("form", { class: "room-search", onSubmit: this.onSubmit }, [
      Vue.h("div", { class: "room-search-line" }, [
        Vue.h("div", { class: "field" }, [
          Vue.h("i", { class: "icon icon-search", "aria-hidden": "true" }),
          Vue.h("input", {
            ref: "box",
            role: "combobox",
            type: "text",
            "aria-label": this.label,
            "aria-expanded": String(shown),
            "aria-autocomplete": "list",
            "aria-controls": `room-search-${id}`,
            "aria-activedescendant": this.active < 0 ? undefined : `room-search-${id}-${this.active}`,
            placeholder: this.placeholder,
            autocomplete: "off",
            enterkeyhint: "go",
            maxlength: this.max_characters,
            onInput: this.onInput,
            onKeydown: this.onKeydown,
            onBlur: () => setTimeout(this.close, 150),
          }),
        ]),
        this.button_label && Vue.h("button", { type: "submit", class: "button" }, this.button_label),
      ]),
      Vue.h(
        "ul",
        { id: `room-search-${id}`, role: "listbox", class: "options", "aria-label": this.label, hidden: !shown },
        this.options.map((option, index) =>
          Vue.h(
            "li",
            {
              id: `room-search-${id}-${index}`,
              role: "option",
              "aria-selected": String(index === this.active),
              onMousedown: (event) => event.preventDefault(),
              onClick: () => this.pick(option.slug),
            },
            [Vue.h("bdi", option.name), Vue.h("small", option.note)],
          ),
        ),
      ),
      Vue.h("p", { role: "alert", class: "alert" }, this.reason),
    ]);
  },
  computed: {
    active() {
      return this.options.findIndex(({ slug }) => slug === this.picked);
    },
  },
  methods: {
    onInput() {
      this.reason = "";
      this.picked = null;
      clearTimeout(this.timer);
      const words = this.$refs.box.value;
      if (!words.trim()) return this.close();
      this.timer = setTimeout(() => this.$emit("query", words), QUERY_DELAY);
    },
    onKeydown(event) {
      if (event.isComposing || event.keyCode === COMPOSING) return;
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step && this.options.length) {
        event.preventDefault();
        const count = this.options.length;
        const next = this.active < 0 && step < 0 ? count - 1 : (this.active + step + count) % count;
        this.picked = this.options[next].slug;
      } else if (event.key === "Escape") this.close();
    },
    onSubmit(event) {
      event.preventDefault();
      if (this.picked) this.pick(this.picked);
      else this.submit("open", this.$refs.box.value);
    },
    pick(slug) {
      this.picked = slug;
      this.submit("pick", slug);
    },
    submit(event, name) {
      clearTimeout(this.timer);
      if (!name.trim()) return this.$refs.box.focus();
      this.hide();
      this.$emit(event, name);
    },
    show(words, options) {
      if (words !== this.$refs.box.value || document.activeElement !== this.$refs.box) return;
      this.options = options;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.$emit("query", words), REFRESH_DELAY);
    },
    reject(reason) {
      this.reason = reason;
      this.picked = null; // the next Enter opens the typed name
      this.$refs.box.focus();
    },
    close() {
      this.picked = null;
      this.hide();
    },
    hide() {
      clearTimeout(this.timer);
      this.options = [];
    },
  },
};
