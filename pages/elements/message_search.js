// Finds messages of the room that is open. A result leads to its message in the list.

import { PendingRequest } from "list_window";
import { dismissReason, showReason } from "reason";
import { whenSocket } from "socket";
import { Times } from "times";

const QUERY_DELAY = 400; // ms
const REFRESH_DELAY = 2_000; // ms after which a message that has changed is searched again
const LONGEST_TIMEOUT = 86_400_000; // ms; longer ones than 2 ** 31 would fire at once
const MOVES = { ArrowDown: 1, ArrowUp: -1 };

let last = {}; // what was searched for last on this page, and the list it was searched in

export default {
  props: {
    feed: Number, // id of the list of the messages
    feed_channel: String, // the channel of that list
    language: String,
    now: Number, // the server's time
    max_characters: Number,
    label: String,
    texts: Object, // translated texts
  },
  emits: ["query"],
  // results: none before the first search; older: the seq before which nothing was searched yet
  data: () => ({ results: null, older: null, isBusy: false }),
  render() {
    const results = this.results ?? [];
    return Vue.h("div", { class: "message-search", onKeydown: this.onKeydown }, [
      Vue.h("form", { onSubmit: this.onSubmit }, [
        Vue.h("div", { class: "field" }, [
          Vue.h("i", { class: "icon icon-search", "aria-hidden": "true" }),
          Vue.h("input", {
            ref: "box",
            type: "text", // Escape would clear a box of the type "search" instead of closing the dialog
            role: "searchbox",
            "aria-label": this.label,
            autocomplete: "off",
            autofocus: true,
            enterkeyhint: "search",
            maxlength: this.max_characters,
            onInput: this.onInput,
          }),
        ]),
      ]),
      Vue.h("p", { ref: "alert", role: "alert", class: "alert" }),
      Vue.h("p", { role: "status", class: "hint" }, this.status()),
      Vue.h("ul", { ref: "list", class: "results", "aria-label": this.texts.results, hidden: !results.length }, [
        results.map((result) => Vue.h("li", { key: result.key }, [this.renderResult(result)])),
      ]),
      this.older && Vue.h("button", { type: "button", class: "button quiet", onClick: this.onOlder }, this.texts.older),
    ]);
  },
  created() {
    this.times = new Times(this.language, this.now);
    this.pending = null;
  },
  mounted() {
    this.onPacket = (packet) => packet.channel === this.feed_channel && this.receive(packet);
    whenSocket((socket) => socket.on("feed", this.onPacket));
    if (last.feed !== this.feed) return;
    this.$refs.box.value = last.words;
    this.$refs.box.select();
    this.search();
  },
  unmounted() {
    window.socket?.off("feed", this.onPacket);
    clearTimeout(this.queryTimer);
    clearTimeout(this.expiryTimer);
  },
  methods: {
    renderResult({ key, name, badge, posted, pieces }) {
      const show = ({ el }) => this.times.render(el);
      return Vue.h("button", { type: "button", class: "result", onClick: () => this.open(key) }, [
        Vue.h("span", { class: "result-head" }, [
          Vue.h("bdi", { class: "who" }, name),
          badge && Vue.h("span", { class: "badge" }, `✓ ${badge}`),
          Vue.h("span", [`${this.times.formatDay(posted)} `, Vue.h("time", { datetime: posted, onVnodeMounted: show })]),
        ]),
        Vue.h("span", { class: "result-text", dir: "auto" }, pieces.map(([text, isHit]) => (isHit ? Vue.h("mark", text) : text))),
      ]);
    },
    status() {
      if (this.isBusy) return this.texts.searching;
      if (!this.results) return this.texts.hint;
      if (this.results.length) return "";
      return this.older ? this.texts.none_yet : this.texts.none;
    },
    words() {
      return this.$refs.box.value.trim();
    },
    onInput() {
      dismissReason(this.$refs.alert);
      clearTimeout(this.queryTimer);
      this.queryTimer = setTimeout(() => this.search(), QUERY_DELAY);
    },
    onSubmit(event) {
      event.preventDefault();
      if (!event.isComposing) this.search();
    },
    search() {
      clearTimeout(this.queryTimer);
      last = { feed: this.feed, words: this.words() };
      if (last.words) return this.ask({ query: last.words });
      this.pending = null;
      this.show(undefined, null, null);
    },
    onOlder() {
      this.ask({ query: last.words, before: this.older });
    },
    ask(request) {
      dismissReason(this.$refs.alert);
      this.isBusy = true;
      this.pending = new PendingRequest();
      this.continues = Boolean(request.before);
      this.$emit("query", { question: this.pending.number, ...request });
    },
    show(question, results, older) {
      if (question !== this.pending?.number) return; // a newer one is pending
      const { changes, hasOverflowed } = this.pending ?? {};
      this.pending = null;
      if (hasOverflowed) return this.search();
      const shown = results?.filter(({ key }) => changes.get(key) !== null);
      this.results = shown && this.continues ? [...this.results, ...shown] : (shown ?? null);
      this.older = older;
      this.isBusy = false;
      this.expire();
    },
    fail(question, reason, seconds) {
      if (question !== this.pending?.number) return;
      this.pending = null;
      this.isBusy = false;
      showReason(this.$refs.alert, reason, seconds);
    },
    receive({ put = [], drop = [] }) {
      this.pending?.receive({ put, drop });
      if (!this.results) return;
      if (drop.length) this.remove((key) => drop.includes(key));
      if (!put.some(([key]) => this.results.some((result) => result.key === key))) return;
      clearTimeout(this.queryTimer);
      this.queryTimer = setTimeout(() => this.search(), REFRESH_DELAY);
    },
    // Removes what has expired by now, and waits until the next result does.
    expire() {
      clearTimeout(this.expiryTimer);
      const now = this.times.now();
      const gone = new Set(this.results?.filter(({ until }) => until <= now).map(({ key }) => key));
      if (gone.size) this.remove((key) => gone.has(key));
      const next = Math.min(...(this.results ?? []).map(({ until }) => until));
      if (next === Infinity) return;
      const delay = Math.min(this.times.timeLeft(next), LONGEST_TIMEOUT);
      this.expiryTimer = setTimeout(() => this.expire(), delay);
    },
    remove(isGone) {
      const hadFocus = this.$refs.list.contains(document.activeElement);
      this.results = this.results.filter(({ key }) => !isGone(key));
      this.$nextTick(() => {
        if (hadFocus && !this.$refs.list.contains(document.activeElement)) this.$refs.box.focus();
      });
    },
    open(key) {
      const list = getElement(this.feed);
      this.$el.closest("dialog").close(); // the focus goes back first
      list.openSeq(key);
    },
    onKeydown(event) {
      if (!(event.key in MOVES) || event.isComposing) return;
      const stops = [this.$refs.box, ...this.$refs.list.querySelectorAll("button")];
      const next = stops[stops.indexOf(event.target) + MOVES[event.key]];
      if (!stops.includes(event.target) || !next) return;
      event.preventDefault();
      next.focus();
    },
  },
};
