// A button that shows and hides the text of a field.

export default {
  props: { field: String, label: String }, // the id of the field
  data: () => ({ isShown: false }),
  render() {
    return Vue.h("button", {
      type: "button",
      class: "button icon-only quiet icon-eye",
      "aria-label": this.label,
      title: this.label,
      "aria-pressed": String(this.isShown),
      "aria-controls": this.field,
      onClick: this.toggle,
    });
  },
  methods: {
    toggle() {
      this.isShown = !this.isShown;
      document.getElementById(this.field).classList.toggle("secret", !this.isShown);
    },
  },
};
