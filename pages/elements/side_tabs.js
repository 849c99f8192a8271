// Tabs, of which the server fills all but the first when they are opened.

import { listNotificationItems } from "notification_menu";
import { ButtonMenu } from "popup_menu";

const MOVES = { ArrowRight: 1, ArrowLeft: -1 };

let chosen = ""; // the tab that is shown; kept when another room is opened

export default {
  props: {
    label: String,
    tabs: Array, // of [id, title, icon]; the first one is the default slot, the others are slots by id
    filled: Array, // the ids of those that the server has filled
    notifications: Object, // the room of the menu of that name, and its texts
  },
  emits: ["open"],
  data() {
    return { selected: this.tabs.some(([id]) => id === chosen) ? chosen : this.tabs[0][0], isRefused: false };
  },
  render() {
    const isAlone = this.tabs.length === 1;
    return Vue.h("aside", { class: "side-tabs" }, [
      Vue.h("header", [!isAlone && this.renderTabs(), this.$slots.end?.()]),
      ...this.tabs.map(([id], index) =>
        Vue.h(
          "div",
          {
            key: id,
            class: "side-tab",
            hidden: id !== this.selected,
            ...(!isAlone && {
              id: this.panelId(index),
              role: "tabpanel",
              tabindex: 0,
              "aria-labelledby": this.tabId(index),
              "aria-busy": index && !this.filled.includes(id) ? "true" : undefined,
            }),
          },
          index ? this.$slots[id]?.() : this.renderFirst(),
        ),
      ),
    ]);
  },
  created() {
    this.notificationMenu = new ButtonMenu();
  },
  mounted() {
    // The tabs may be in what is closed at first, and opened later.
    this.resizeObserver = new ResizeObserver(() => this.requestContent());
    this.resizeObserver.observe(this.$el);
  },
  unmounted() {
    this.resizeObserver.disconnect();
    this.notificationMenu.close();
  },
  methods: {
    tabId(index) {
      return `${this.$attrs.id}-tab-${index}`;
    },
    panelId(index) {
      return `${this.$attrs.id}-panel-${index}`;
    },
    renderTabs() {
      return Vue.h(
        "div",
        { class: "side-tab-list", role: "tablist", "aria-label": this.label, onKeydown: this.onKeydown },
        this.tabs.map(([id, title, icon], index) =>
          Vue.h(
            "button",
            {
              key: id,
              type: "button",
              id: this.tabId(index),
              role: "tab",
              "aria-selected": String(id === this.selected),
              "aria-controls": this.panelId(index),
              tabindex: id === this.selected ? 0 : -1,
              onClick: () => this.select(id),
            },
            [icon && Vue.h("i", { class: `icon icon-${icon}`, "aria-hidden": "true" }), title],
          ),
        ),
      );
    },
    renderFirst() {
      return [
        this.renderNotifications(),
        this.$slots.default?.(),
        this.isRefused && Vue.h("p", { class: "hint refused", role: "alert" }, this.notifications.texts.refused),
      ];
    },
    renderNotifications() {
      const { label } = this.notifications.texts;
      return Vue.h("button", {
        ref: "notifications",
        type: "button",
        class: "button icon-only quiet icon-bell notifications",
        "aria-label": label,
        title: label,
        "aria-haspopup": "menu",
        "aria-expanded": "false",
        onClick: this.toggleNotifications,
      });
    },
    toggleNotifications() {
      const { room, texts } = this.notifications;
      const items = listNotificationItems(room, texts, {
        onRefused: () => (this.isRefused = true),
        onAllowed: () => (this.isRefused = false),
      });
      this.notificationMenu.toggle(this.$refs.notifications, texts.label, items);
    },
    select(id) {
      chosen = this.selected = id;
      this.$nextTick(this.requestContent);
    },
    requestContent() {
      const isMissing = this.selected !== this.tabs[0][0] && !this.filled.includes(this.selected);
      if (isMissing && this.$el.checkVisibility()) this.$emit("open", this.selected);
    },
    onKeydown(event) {
      const last = this.tabs.length - 1;
      const index = this.tabs.findIndex(([id]) => id === this.selected);
      let next;
      if (event.key in MOVES) next = (index + MOVES[event.key] + this.tabs.length) % this.tabs.length;
      else if (event.key === "Home") next = 0;
      else if (event.key === "End") next = last;
      else return;
      event.preventDefault();
      this.select(this.tabs[next][0]);
      document.getElementById(this.tabId(next)).focus();
    },
  },
};
