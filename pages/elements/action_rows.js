// A short list whose rows are texts, each with the same buttons.

export default {
  props: { label: String, rows: Array, actions: Array }, // pairs: a key and a text, an id and a text
  emits: ["act"],
  render() {
    const { label, rows, actions } = this;
    const draw = ([key, text]) => [
      Vue.h("bdi", text),
      actions.map(([id, name]) => Vue.h("button", {
        type: "button",
        class: "button quiet",
        onClick: () => this.$emit("act", { act: id, key }),
      }, name)),
    ];
    return Vue.h("ul", { class: "action-rows", "aria-label": label }, rows.map((row) => Vue.h("li", { key: row[0] }, draw(row))));
  },
};
