// Tells for ten seconds, and for longer under the pointer or with the focus, which room the visitor
// has left, and offers to undo it. The tab remembers it, because leaving the open room leads to
// another page.

import { showReason } from "reason";
import { whenSocket } from "socket";

const SHOWN = 10_000; // ms
const KEY = "left-room";

export default {
  props: { text: String, undo: String }, // "{}" stands for the name
  emits: ["undo"],
  data: () => ({ room: null }),
  render() {
    const { room } = this;
    return Vue.h("div", { class: "left-room", "aria-live": "polite" }, room && [
      Vue.h("span", { ref: "line", key: room.until }, this.describe(room)),
      Vue.h("button", { type: "button", class: "link", onClick: () => this.undoLeaving(room) }, this.undo),
    ]);
  },
  mounted() {
    this.onPacket = ({ news }) => news?.forEach(({ left, requested }) => requested && this.remember(left));
    whenSocket((socket) => socket.on("feed", this.onPacket));
    this.show(JSON.parse(sessionStorage.getItem(KEY)));
  },
  unmounted() {
    clearTimeout(this.timer);
    window.socket?.off("feed", this.onPacket);
  },
  methods: {
    remember(id) {
      const link = document.querySelector(`[data-room="${CSS.escape(id)}"] > .sidebar-room`);
      if (!link) return;
      const room = {
        name: link.querySelector("bdi").textContent,
        slug: decodeURIComponent(link.pathname.split("/").at(-1)),
        until: Date.now() + SHOWN,
      };
      sessionStorage.setItem(KEY, JSON.stringify(room));
      this.show(room);
    },
    show(room) {
      this.room = room;
      clearTimeout(this.timer);
      if (room) this.timer = setTimeout(() => this.end(), room.until - Date.now());
    },
    undoLeaving(room) {
      clearTimeout(this.timer);
      sessionStorage.removeItem(KEY); // the room that opens must not show it again
      this.$emit("undo", room.slug);
    },
    end() {
      if (!this.$el.matches(":hover, :focus-within")) return this.forget();
      this.timer = setTimeout(() => this.end(), SHOWN);
    },
    forget() {
      sessionStorage.removeItem(KEY);
      this.room = null;
    },
    describe({ name }) {
      return this.text.replace("{}", () => name);
    },
    reject(reason, seconds) {
      const { line } = this.$refs;
      showReason(line, reason, seconds, () => (line.textContent = this.describe(this.room)));
      this.timer = setTimeout(() => this.end(), SHOWN);
    },
  },
};
