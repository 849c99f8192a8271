// A modal dialog, shown as long as its element exists. A click on its cross closes it at once.

export default {
  props: { title: String, close_label: String },
  emits: ["close"],
  render() {
    const id = `dialog-${this.$.uid}`;
    const cross = {
      type: "button",
      class: "button icon-only quiet icon-close",
      "aria-label": this.close_label,
      title: this.close_label,
      onClick: () => this.$el.close(),
    };
    return Vue.h("dialog", { class: "dialog", "aria-labelledby": id, onClose: this.onClose }, [
      Vue.h("header", [Vue.h("h2", { id }, this.title), Vue.h("button", cross)]),
      Vue.h("div", { class: "dialog-body" }, this.$slots.default?.()),
    ]);
  },
  mounted() {
    this.$el.showModal();
  },
  beforeUnmount() {
    this.isUnmounted = true;
    this.$el.close(); // the focus returns to the element that had it
  },
  methods: {
    onClose() {
      if (!this.isUnmounted) this.$emit("close");
    },
  },
};
