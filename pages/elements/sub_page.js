// The content of one path. When it replaces another, its heading is read out.

import { setOpened } from "navigation";

export default {
  props: { opened: String }, // the path; empty for the content that the page was loaded with
  emits: ["shown"],
  render() {
    return Vue.h("div", this.$slots.default?.());
  },
  mounted() {
    if (!this.opened) return;
    this.$emit("shown");
    setOpened(this.opened);
    window.scrollTo(0, 0);
    const heading = this.$el.querySelector("h1");
    if (!heading || document.querySelector("dialog[open]")) return;
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
  },
};
