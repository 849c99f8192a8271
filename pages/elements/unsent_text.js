// The text that this tab has stored under a key.

export default {
  props: { storage_key: String, label: String },
  data: () => ({ text: "" }),
  render() {
    if (!this.text) return null;
    const id = `unsent-${this.$.uid}`;
    return Vue.h("div", { class: "labelled unsent" }, [
      Vue.h("label", { for: id }, this.label),
      Vue.h("textarea", { id, readonly: true, value: this.text }),
    ]);
  },
  mounted() {
    this.text = sessionStorage.getItem(this.storage_key) ?? "";
  },
};
