// A URL with buttons to copy and to share it.

const COPIED_SHOWN = 3_000; // ms

export default {
  props: { url: String, label: String, copy: String, copied: String, share: String },
  data: () => ({ isCopied: false }),
  render() {
    const button = (text, onClick, kind) => Vue.h("button", { type: "button", class: ["button", kind], onClick }, text);
    const canShare = navigator.share && window.matchMedia("(pointer: coarse)").matches;
    return Vue.h("div", { class: "copy-link" }, [
      Vue.h("div", { class: "field" }, [
        Vue.h("input", { ref: "box", type: "text", readonly: true, "aria-label": this.label, value: this.url }),
      ]),
      button(this.isCopied ? this.copied : this.copy, this.onCopy),
      canShare && button(this.share, () => navigator.share({ url: this.url }).catch(() => {}), "quiet"),
    ]);
  },
  unmounted() {
    clearTimeout(this.timer);
  },
  methods: {
    async onCopy() {
      const { box } = this.$refs;
      box.select();
      // Plain HTTP has no `clipboard`, and a browser may refuse it: then the selection is copied.
      const isCopied = await navigator.clipboard?.writeText(box.value).then(() => true, () => false);
      if (!isCopied && !document.execCommand("copy")) return;
      this.isCopied = true;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => (this.isCopied = false), COPIED_SHOWN);
    },
  },
};
