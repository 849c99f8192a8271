// A combobox over rooms (WAI-ARIA "editable combobox with list autocomplete").

const AGAIN = 1500; // rooms come and go while one is thinking

export default {
  props: { label: String, button_label: String },
  emits: ["query", "open", "pick"],
  data: () => ({ options: [], active: -1, reason: "", busy: false }),
  render() {
    const id = this.$.uid;
    const shown = this.options.length > 0;
    return Vue.h("form", { class: "finder", onSubmit: this.onSubmit }, [
      Vue.h("div", { class: "finder-line" }, [
        Vue.h("div", { class: "field" }, [
          Vue.h("i", { class: "icon icon-search", "aria-hidden": "true" }),
          Vue.h("input", {
            ref: "box",
            role: "combobox",
            type: "text",
            "aria-label": this.label,
            "aria-expanded": String(shown),
            "aria-autocomplete": "list",
            "aria-controls": `finder-${id}`,
            "aria-activedescendant": this.active < 0 ? undefined : `finder-${id}-${this.active}`,
            placeholder: this.label,
            autocomplete: "off",
            enterkeyhint: "go",
            maxlength: 300,
            onInput: this.onInput,
            onKeydown: this.onKeydown,
            onBlur: () => setTimeout(this.close, 150),
          }),
        ]),
        this.button_label && Vue.h("button", { type: "submit", class: "button" }, this.button_label),
      ]),
      Vue.h(
        "ul",
        { id: `finder-${id}`, role: "listbox", class: "options", "aria-label": this.label, hidden: !shown },
        this.options.map((option, index) =>
          Vue.h(
            "li",
            {
              id: `finder-${id}-${index}`,
              role: "option",
              "aria-selected": String(index === this.active),
              onMousedown: (event) => event.preventDefault(),
              onClick: () => this.go("pick", option.slug),
            },
            [Vue.h("bdi", option.name), Vue.h("small", option.note)],
          ),
        ),
      ),
      Vue.h("p", { role: "alert", class: "alert" }, this.reason),
    ]);
  },
  methods: {
    onInput() {
      this.reason = "";
      this.active = -1;
      clearTimeout(this.timer);
      const words = this.$refs.box.value;
      if (!words.trim()) return this.close();
      this.timer = setTimeout(() => this.$emit("query", words), 120);
    },
    onKeydown(event) {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step && this.options.length) {
        event.preventDefault();
        const count = this.options.length;
        this.active = this.active < 0 && step < 0 ? count - 1 : (this.active + step + count) % count;
      } else if (event.key === "Escape") this.close();
    },
    onSubmit(event) {
      event.preventDefault();
      const option = this.options[this.active];
      if (option) this.go("pick", option.slug);
      else this.go("open", this.$refs.box.value);
    },
    go(how, name) {
      clearTimeout(this.timer);
      if (!name.trim()) return this.$refs.box.focus();
      this.close();
      this.$emit(how, name);
    },
    show(words, options) {
      if (words !== this.$refs.box.value || document.activeElement !== this.$refs.box) return;
      const picked = this.options[this.active]?.slug;
      this.options = options;
      this.active = options.findIndex(({ slug }) => slug === picked);
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.$emit("query", words), AGAIN);
    },
    refuse(reason) {
      this.reason = reason;
      this.$refs.box.focus();
    },
    close() {
      clearTimeout(this.timer);
      this.options = [];
      this.active = -1;
    },
  },
};
