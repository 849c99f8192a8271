// The draft and the unanswered messages that this tab has stored for a room (see composer.js).

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
    const waiting = JSON.parse(sessionStorage.getItem(`waiting:${this.storage_key}`) ?? "[]");
    const draft = sessionStorage.getItem(`draft:${this.storage_key}`);
    this.text = [...waiting.map(([, { text }]) => text), draft].filter(Boolean).join("\n");
  },
};
