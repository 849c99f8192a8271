// A button that shows or hides a panel. One of a panel's buttons may stand in it, to close it.

let isTurned = false; // whether the panel is the other way round than the width of the window has it

export default {
  props: { icon: String, label: String, panel: String },
  data: () => ({ isExpanded: undefined }),
  render() {
    return Vue.h("button", {
      type: "button",
      class: `button icon-only quiet icon-${this.icon}`,
      "aria-label": this.label,
      title: this.label,
      "aria-expanded": this.isExpanded,
      "aria-controls": this.panel,
      "data-panel": this.panel,
      onClick: this.toggle,
    });
  },
  mounted() {
    this.$nextTick(() => this.watchPanel(document.getElementById(this.panel)));
  },
  unmounted() {
    this.resizeObserver?.disconnect();
    this.element?.removeEventListener("keydown", this.onKeydown);
  },
  methods: {
    watchPanel(panel) {
      this.element = panel;
      if (panel.contains(this.$el)) return;
      panel.classList.toggle("turned", isTurned);
      panel.addEventListener("keydown", this.onKeydown);
      // It can also be shown or hidden by the width of the window.
      this.resizeObserver = new ResizeObserver(([{ borderBoxSize }]) => {
        this.isExpanded = String(borderBoxSize[0].inlineSize > 0);
      });
      this.resizeObserver.observe(panel);
    },
    onKeydown(event) {
      if (event.key === "Escape" && !event.isComposing) this.toggle();
    },
    toggle() {
      isTurned = this.element.classList.toggle("turned");
      const buttons = [...document.querySelectorAll(`[data-panel="${this.panel}"]`)];
      const closer = buttons.find((button) => this.element.contains(button));
      const opener = buttons.find((button) => !this.element.contains(button));
      (closer?.checkVisibility() ? closer : opener).focus();
    },
  },
};
