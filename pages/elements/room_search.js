// A combobox over rooms (WAI-ARIA "editable combobox with list autocomplete").

import { dismissReason, showReason } from "reason";

const COMPOSING = 229; // keyCode in Safari of the Enter key that confirms an IME composition
const QUERY_DELAY = 120; // ms
const READ_DELAY = 500; // ms for which "Create" is shown before an Enter that came earlier creates
const REFRESH_DELAY = 1500; // ms; rooms change while the list is open

const ADDRESS = /:\/\/|\/r\/[\p{L}\p{N}-]/iu; // of a room, which Enter opens

export default {
  props: {
    label: String,
    placeholder: String,
    button_label: String,
    max_characters: Number,
    create: String, // "{}" stands for the name
    create_note: String,
  },
  emits: ["query", "open", "pick"],
  // picked: a slug, kept after its room has ended; "" for the option that creates a room
  // isHeld: Enter waits until it is known whether it creates; isBusy: a room is being opened
  data: () => ({ options: [], picked: null, isHeld: false, isBusy: false }),
  render() {
    const id = this.$.uid;
    const shown = this.options.length > 0;
    const busy = this.isHeld || this.isBusy ? "true" : undefined;
    return Vue.h("form", { class: "room-search", "aria-busy": busy, onSubmit: this.onSubmit }, [
      Vue.h("div", { class: "room-search-line" }, [
        Vue.h("div", { class: "field" }, [
          Vue.h("i", { class: "icon icon-search", "aria-hidden": "true" }),
          Vue.h("input", {
            ref: "box",
            id: `${this.$attrs.id}-box`, // as in the first paint
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
            onBlur: () => setTimeout(() => this.hasFocus() || this.close(), 150),
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
              onClick: () => this.choose(option.slug),
            },
            [Vue.h("bdi", option.name), Vue.h("small", option.note)],
          ),
        ),
      ),
      Vue.h("p", { ref: "alert", role: "alert", class: "alert" }),
    ]);
  },
  computed: {
    active() {
      return this.options.findIndex(({ slug }) => slug === this.picked);
    },
  },
  methods: {
    hasFocus() {
      return document.activeElement === this.$refs.box;
    },
    onInput() {
      dismissReason(this.$refs.alert);
      this.isBusy = false;
      this.picked = null;
      this.answered = undefined;
      this.isHeld = false;
      clearTimeout(this.timer);
      const words = this.$refs.box.value;
      if (!words.trim()) return this.close();
      this.timer = setTimeout(() => this.$emit("query", words), QUERY_DELAY);
    },
    onKeydown(event) {
      const isComposing = event.isComposing || event.keyCode === COMPOSING;
      if (isComposing && event.key === "Enter") event.preventDefault(); // it would submit the form
      if (isComposing) return;
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step && this.options.length) {
        event.preventDefault();
        const count = this.options.length;
        const next = this.active < 0 && step < 0 ? count - 1 : (this.active + step + count) % count;
        this.picked = this.options[next].slug;
        if (this.isHeld) clearTimeout(this.timer);
      } else if (event.key === "Escape") this.close();
    },
    onSubmit(event) {
      event.preventDefault();
      const words = this.$refs.box.value;
      this.$refs.box.focus();
      if (this.picked || this.answered === words || !words.trim()) return this.choose(this.picked);
      // Whether this creates a room is not known yet: ask, and go on when it is shown.
      this.isHeld = true;
      clearTimeout(this.timer);
      this.$emit("query", words);
    },
    choose(slug) {
      this.picked = slug;
      if (slug) this.submit("pick", slug);
      else this.submit("open", this.$refs.box.value);
    },
    submit(event, name) {
      clearTimeout(this.timer);
      if (!name.trim()) return;
      this.hide();
      this.isBusy = true;
      this.$emit(event, name);
    },
    show(words, options) {
      if (words !== this.$refs.box.value || !this.hasFocus()) return;
      const name = words.trim();
      const creates = !ADDRESS.test(name) && !options.some((option) => isSame(option.name, name));
      const option = { slug: "", name: this.create.replace("{}", () => name), note: this.create_note };
      this.options = creates ? [...options, option] : options;
      this.answered = words;
      clearTimeout(this.timer);
      if (this.isHeld && creates) this.picked = "";
      if (this.isHeld) return (this.timer = setTimeout(() => this.choose(null), creates ? READ_DELAY : 0));
      this.timer = setTimeout(() => this.$emit("query", words), REFRESH_DELAY);
    },
    showFailure(words, reason, seconds) {
      if (words !== this.$refs.box.value || !this.hasFocus()) return;
      this.close(); // the next Enter asks again
      showReason(this.$refs.alert, reason, seconds);
    },
    accept() {
      this.isBusy = false;
    },
    reject(reason, seconds) {
      this.isBusy = false;
      showReason(this.$refs.alert, reason, seconds);
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
      this.answered = undefined;
      this.isHeld = false;
    },
  },
};

function isSame(name, other) {
  const [one, two] = [name, other].map((text) => text.normalize("NFC").toLowerCase());
  return one === two;
}
