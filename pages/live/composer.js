// The box one writes in. The draft and what was not answered yet live in this tab alone.

const ROW_COMES = 3_000;
const COMPOSING = 229; // Safari ends a composition before the key that confirms it
const LINE_BYTES = 60_000; // a frame holds 65,536

export default {
  props: {
    feed: Number, // the list in which a message waits until it is stored
    draft_key: String,
    author: String, // another visitor of this tab is shown and sends nothing of it
    placeholder: String,
    label: String,
    send_label: String,
    patience: Number, // milliseconds after which what was not answered is not sent again
    late: String,
    too_long: String,
  },
  emits: ["post"],
  render() {
    return Vue.h("form", { class: "composer", onSubmit: this.onSubmit }, [
      Vue.h("p", { ref: "alert", role: "alert", class: "alert" }),
      Vue.h("div", { class: "field" }, [
        Vue.h("textarea", {
          ref: "box",
          rows: 1,
          placeholder: this.placeholder,
          "aria-label": this.label,
          enterkeyhint: "send",
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
    this.waiting = new Map(JSON.parse(sessionStorage.getItem(this.key("waiting")) || "[]"));
    this.$refs.box.value = sessionStorage.getItem(this.key("draft")) || "";
    this.grow();
    this.$nextTick(() => this.waiting.forEach(({ text }, dedup) => this.list()?.pend(dedup, text)));
    this.onViewport = () => {
      // A phone's keyboard covers the page instead of resizing it: leave it the room it takes.
      document.documentElement.style.setProperty("--screen", `${window.visualViewport.height}px`);
      window.scrollTo(0, 0);
    };
    window.visualViewport?.addEventListener("resize", this.onViewport);
    if (window.matchMedia("(hover: hover)").matches) this.$refs.box.focus();
  },
  unmounted() {
    window.visualViewport?.removeEventListener("resize", this.onViewport);
  },
  methods: {
    key(name) {
      return `${name}:${this.draft_key}:${this.author}`;
    },
    list() {
      return getElement(this.feed);
    },
    onKeydown(event) {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      if (event.keyCode === COMPOSING) return;
      this.onSubmit(event);
    },
    onSubmit(event) {
      event.preventDefault();
      const text = this.$refs.box.value.trim();
      if (!text) return this.$refs.box.focus();
      if (countBytes(text) > LINE_BYTES) return this.say(this.too_long.replace("{}", countCharacters(text)));
      // What was refused may be stored for all that: unchanged, it is tried again as the same message.
      const dedup = this.refused?.text === text ? this.refused.dedup : newId();
      this.refused = undefined;
      this.write("");
      this.say("");
      this.waiting.set(dedup, { text, since: Date.now() });
      this.keep();
      this.list()?.pend(dedup, text);
      // A socket that is cut off would keep it, and send it even after it went back into the box.
      if (window.socket?.connected) this.$emit("post", { text, dedup });
      this.$refs.box.focus();
    },
    onInput() {
      this.say("");
      this.grow();
      sessionStorage.setItem(this.key("draft"), this.$refs.box.value);
    },
    resend() {
      this.waiting.forEach(({ text, since }, dedup) => {
        if (Date.now() - since < this.patience) this.$emit("post", { text, dedup });
        else this.refuse(dedup, this.late);
      });
    },
    accept(dedup) {
      this.forget(dedup);
      // Its row is about to come, unless its time was over before this answer.
      setTimeout(() => this.list()?.settle(dedup), ROW_COMES);
    },
    refuse(dedup, reason, isOver) {
      const { text } = this.waiting.get(dedup) || {};
      if (text === undefined) return;
      this.forget(dedup);
      this.refused = isOver ? undefined : { text, dedup };
      this.list()?.settle(dedup);
      const draft = this.$refs.box.value;
      this.write(draft ? `${text}\n${draft}` : text);
      this.say(reason);
      this.$refs.box.focus();
    },
    forget(dedup) {
      this.waiting.delete(dedup);
      this.keep();
    },
    write(text) {
      this.$refs.box.value = text;
      this.onInput();
    },
    say(reason) {
      this.$refs.alert.textContent = reason;
    },
    keep() {
      sessionStorage.setItem(this.key("waiting"), JSON.stringify([...this.waiting]));
    },
    grow() {
      const box = this.$refs.box;
      box.style.height = "auto";
      box.style.height = `${Math.min(box.scrollHeight, 200)}px`;
    },
  },
};

// The server counts what is left after trimming and composing, too.
function countCharacters(text) {
  return [...text.normalize()].length;
}

// A text is written as JSON twice: as the argument of an event, and as the packet around it.
function countBytes(text) {
  return new TextEncoder().encode(JSON.stringify(JSON.stringify(text))).length;
}

function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
