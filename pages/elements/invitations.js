// The invitations to a room, each with buttons that show its link and revoke it.

export default {
  props: { label: String, rows: Array, show: String, revoke: String }, // rows: pairs of a code and a text
  emits: ["show", "revoke"],
  render() {
    const button = (text, act, code, kind) =>
      Vue.h("button", { type: "button", class: ["button", kind], onClick: () => this.$emit(act, code) }, text);
    return Vue.h("ul", { class: "invitations", "aria-label": this.label }, this.rows.map(([code, text]) =>
      Vue.h("li", { key: code }, [
        Vue.h("span", text),
        button(this.show, "show", code, "quiet"),
        button(this.revoke, "revoke", code, "quiet"),
      ])));
  },
};
