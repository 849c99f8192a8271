// Buttons that run actions on the server. On a phone, and if there are more than two, they are in a
// menu (see theme.css), which has those of `menu` in any case.

import { ButtonMenu } from "popup_menu";

const BUTTONS_MAX = 2;

export default {
  props: {
    label: String, // of the menu
    actions: Array, // of [id, title, icon]
    menu: Array, // the same, for the menu alone
    running: String, // the id of the action that the server runs, or ""
  },
  emits: ["act"],
  render() {
    const button = (icon, label, id, options) =>
      Vue.h("button", {
        type: "button",
        class: `button icon-only quiet icon-${icon}`,
        title: label,
        "aria-label": label,
        "aria-busy": this.running === id ? "true" : undefined,
        ...options,
      });
    const isMenuOnly = this.actions.length > BUTTONS_MAX;
    const shown = isMenuOnly ? [] : this.actions;
    return Vue.h("div", { class: ["action-buttons", (isMenuOnly || this.menu.length) && "with-menu"] }, [
      ...shown.map(([id, title, icon]) => button(icon, title, id, { key: id, onClick: () => this.act(id) })),
      button("more", this.label, this.running || null, {
        ref: "more",
        class: "button icon-only quiet icon-more more-actions",
        "aria-haspopup": "menu",
        "aria-expanded": "false",
        onClick: this.toggle,
      }),
    ]);
  },
  created() {
    this.buttonMenu = new ButtonMenu();
  },
  unmounted() {
    this.buttonMenu.close();
  },
  methods: {
    act(id) {
      this.$emit("act", id);
    },
    toggle() {
      const { more } = this.$refs;
      const hasButtons = this.$el.firstElementChild !== more && this.$el.firstElementChild.checkVisibility();
      const hidden = [...(hasButtons ? [] : this.actions), ...this.menu];
      const items = hidden.map(([id, title]) => [title, () => this.act(id)]);
      this.buttonMenu.toggle(more, this.label, items);
    },
  },
};
