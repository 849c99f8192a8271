// Emits an event when a character is typed outside of text fields and dialogs.

export default {
  props: { character: String },
  emits: ["press"],
  render: () => Vue.h("span", { hidden: true }),
  mounted() {
    document.addEventListener("keydown", this.onKeydown, true); // before the message box takes it
  },
  unmounted() {
    document.removeEventListener("keydown", this.onKeydown, true);
  },
  methods: {
    onKeydown(event) {
      if (event.key !== this.character || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
      if (event.target.closest("input, textarea, select") || document.querySelector("dialog[open]")) return;
      event.preventDefault();
      if (!event.repeat) this.$emit("press");
    },
  },
};
