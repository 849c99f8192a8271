// The message composer. The draft and the unanswered messages are stored in this tab only.

import { dismissReason, showReason } from "reason";
import { whenSocket } from "socket";

const ROW_TIMEOUT = 3_000; // ms after which an acknowledged pending row is removed in any case
const COMPOSING = 229; // keyCode in Safari of the Enter key that confirms an IME composition
const TEXT_BYTES_MAX = 60_000; // a socket frame holds 65,536

export default {
  props: {
    feed: Number, // id of the list that shows pending messages
    storage_key: String, // of the room and the author: other visitors of this tab must not see the draft
    placeholder: String,
    label: String,
    send_label: String,
    resend_within: Number, // age in ms up to which an unanswered message is sent again
    late: String,
    too_long: String,
  },
  emits: ["post"],
  data() {
    return { changed: {} }; // what the owner has changed since the page was drawn
  },
  render() {
    return Vue.h("form", { class: "composer", onSubmit: this.onSubmit }, [
      Vue.h("p", { ref: "alert", role: "alert", class: "alert" }),
      Vue.h("div", { class: "field" }, [
        Vue.h("textarea", {
          ref: "box",
          id: `${this.$attrs.id}-box`, // as in the first paint
          rows: 1,
          placeholder: this.changed.placeholder ?? this.placeholder,
          "aria-label": this.label,
          enterkeyhint: hasTouchKeyboard() ? "enter" : "send",
          autocomplete: "off",
          onInput: this.onInput,
          onKeydown: this.onKeydown,
        }),
        Vue.h("button", { class: "button icon-only", type: "submit", "aria-label": this.send_label }, [
          Vue.h("i", { class: "icon icon-send", "aria-hidden": "true" }),
        ]),
      ]),
    ]);
  },
  mounted() {
    this.unanswered = new Map(JSON.parse(sessionStorage.getItem(this.key("waiting")) || "[]"));
    this.$refs.box.value = sessionStorage.getItem(this.key("draft")) || "";
    // Lines break elsewhere if the width changes; in the next frame, because this changes the size again.
    this.resizeObserver = new ResizeObserver(() => requestAnimationFrame(this.resize));
    this.resizeObserver.observe(this.$el);
    this.$nextTick(() => this.unanswered.forEach(({ text }, dedup) => this.list()?.addPending(dedup, text)));
    this.onViewport = () => {
      // A phone's keyboard covers the page instead of resizing it: reduce the height of the page.
      const { height, scale } = window.visualViewport;
      document.documentElement.style.setProperty("--screen", `${height * scale}px`);
      if (scale === 1) window.scrollTo(0, 0); // a zoomed page is scrolled by its reader
    };
    window.visualViewport?.addEventListener("resize", this.onViewport);
    document.addEventListener("keydown", this.onTyping);
    this.onPacket = ({ news = [] }) => news.forEach(({ composer }) => composer && this.change(composer));
    whenSocket((socket) => socket.on("feed", this.onPacket));
    if (window.matchMedia("(hover: hover)").matches) this.$refs.box.focus();
  },
  unmounted() {
    this.resizeObserver.disconnect();
    document.removeEventListener("keydown", this.onTyping);
    window.socket?.off("feed", this.onPacket);
    window.visualViewport?.removeEventListener("resize", this.onViewport);
  },
  methods: {
    key(name) {
      return `${name}:${this.storage_key}`;
    },
    list() {
      return getElement(this.feed);
    },
    onTyping({ key, target, ctrlKey, metaKey, altKey, isComposing, defaultPrevented }) {
      // What is typed beside all fields is meant for this one; Space scrolls, or presses a button.
      const isText = key?.length === 1 && key !== " " && !ctrlKey && !metaKey && !altKey && !isComposing;
      if (isText && !defaultPrevented && !target.closest("input, textarea, select, dialog")) this.$refs.box.focus();
    },
    onKeydown(event) {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      // A touch keyboard has no Shift+Enter: its Enter key makes a new line, as everywhere on a phone.
      if (hasTouchKeyboard() && !event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      if (event.keyCode === COMPOSING) return;
      this.onSubmit(event);
    },
    onSubmit(event) {
      event.preventDefault();
      const text = this.$refs.box.value.trim();
      if (!text) return this.$refs.box.focus();
      if (countBytes(text) > TEXT_BYTES_MAX) {
        return this.showAlert(this.too_long.replace("{}", countCharacters(text)));
      }
      // A rejected message may be stored after all: if unchanged, it keeps its id.
      const dedup = this.rejected?.text === text ? this.rejected.dedup : newId();
      this.rejected = undefined;
      this.setText("");
      this.showAlert("");
      this.unanswered.set(dedup, { text, since: Date.now() });
      this.saveUnanswered();
      this.list()?.addPending(dedup, text);
      // A disconnected socket would buffer it and send it even after it went back into the box.
      if (window.socket?.connected) this.$emit("post", { text, dedup });
      this.$refs.box.focus();
    },
    onInput() {
      dismissReason(this.$refs.alert);
      this.resize();
      sessionStorage.setItem(this.key("draft"), this.$refs.box.value);
    },
    change({ placeholder, resend_within }) {
      // A message may have been posted, and have expired, while messages lived for a shorter time.
      this.changed = { placeholder, resend_within: Math.min(resend_within, this.changed.resend_within ?? Infinity) };
    },
    resend() {
      const within = Math.min(this.resend_within, this.changed.resend_within ?? Infinity);
      this.unanswered.forEach(({ text, since }, dedup) => {
        if (Date.now() - since < within) this.$emit("post", { text, dedup });
        else this.reject(dedup, this.late);
      });
    },
    accept(dedup) {
      this.forget(dedup);
      // The stored row replaces the pending one, unless it expired before.
      setTimeout(() => this.list()?.removePending(dedup), ROW_TIMEOUT);
    },
    reject(dedup, reason, seconds) {
      const { text } = this.unanswered.get(dedup) || {};
      if (text === undefined) return;
      this.forget(dedup);
      this.rejected = { text, dedup };
      this.list()?.removePending(dedup);
      const draft = this.$refs.box.value;
      this.setText(draft ? `${text}\n${draft}` : text);
      this.showAlert(reason, seconds);
      this.$refs.box.focus();
    },
    expire(dedup, reason) {
      this.reject(dedup, reason);
      this.rejected = undefined; // a new attempt needs a new id
    },
    forget(dedup) {
      this.unanswered.delete(dedup);
      this.saveUnanswered();
    },
    setText(text) {
      this.$refs.box.value = text;
      this.onInput();
    },
    tell(text) {
      this.showAlert(text);
    },
    showAlert(reason, seconds) {
      showReason(this.$refs.alert, reason, seconds);
    },
    saveUnanswered() {
      sessionStorage.setItem(this.key("waiting"), JSON.stringify([...this.unanswered]));
    },
    resize() {
      const box = this.$refs.box;
      box.style.height = "auto";
      box.style.height = `${Math.min(box.scrollHeight, 200)}px`;
    },
  },
};

function hasTouchKeyboard() {
  return window.matchMedia("(hover: none) and (pointer: coarse)").matches;
}

// Counts like the server: after trimming and Unicode normalisation.
function countCharacters(text) {
  return [...text.normalize()].length;
}

// A text is encoded as JSON twice: as an event argument, and in the packet around it.
function countBytes(text) {
  return new TextEncoder().encode(JSON.stringify(JSON.stringify(text))).length;
}

function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
