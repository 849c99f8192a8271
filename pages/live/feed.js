// A list of keyed rows, drawn by the server. Knows how to put and drop them, how time passes for
// them, and where the reader is; nothing of what they mean. Its parts stand in feed/.

import { Ageing } from "ageing";
import { Headings } from "headings";
import { Place } from "place";
import { Reading } from "reading";
import { Row, Rows } from "rows";
import { AFTER, BEFORE, END, Question, Stretch } from "stretch";
import { TakeBack } from "taking";
import { Times } from "times";
import { Unread } from "unread";

const FADE = 150;
const KEYS_MOST = 1_000;
const SPARE = 0.1; // of a full page goes at once, so that not every new row costs another its place
const AHEAD = "640px"; // so far beyond the screen the next rows are asked for

export default {
  props: {
    channel: String,
    tag: String,
    label: String,
    language: String,
    now: Number, // the server's time when the page was drawn
    stick: Boolean, // a log: stay at the end while the reader is there
    days: Boolean, // part the rows by days
    more: Boolean, // there are rows beyond those shown
    cap: Number, // so many rows are on the page at most
    read: Object, // how far the reader has read: by key, or under "" for the list itself
    current: String, // the key of the row that is open
    me: String, // the group that is the reader's own
    owns: Boolean, // the list is the reader's own: they may take back any row
    texts: Object, // the few words that are needed here
  },
  emits: ["sync", "page", "read", "ended", "act"],
  render() {
    const list = Vue.h(this.tag, {
      ref: "list",
      class: ["feed", `feed-${this.channel}`],
      role: this.stick ? "log" : undefined,
      "aria-label": this.label || undefined,
      "aria-live": this.stick ? "polite" : undefined,
      tabindex: this.stick ? 0 : undefined,
      "data-quiet": this.texts?.quiet,
      onScroll: this.onScroll,
      onPointerover: this.onPoint,
      onFocusin: this.onPoint,
      onClick: this.onClick,
      onKeydown: this.onKeydown,
    });
    if (!this.stick) return list;
    return Vue.h("div", { class: "feed-frame" }, [
      list,
      Vue.h("button", { ref: "pill", type: "button", class: "pill", hidden: true, onClick: this.onPill }),
    ]);
  },
  mounted() {
    // State lives outside Vue on purpose: nothing here may cause a rendering.
    this.build();
    this.showAll(this.$el.drawn);
    this.$el.drawn = undefined;
    this.headings?.arrange(this.shown.takeTouched());
    if (this.stick) this.toStart();
    else this.look();
    this.listen();
  },
  unmounted() {
    this.ageing.stop();
    this.reading?.stop();
    this.watcher?.disconnect();
    this.resized?.disconnect();
    window.socket?.off("feed", this.onPacket);
    document.removeEventListener("visibilitychange", this.onVisible);
    window.removeEventListener("pagehide", this.onLeave);
  },
  methods: {
    build() {
      const { list } = this.$refs;
      this.shown = new Rows(list);
      this.times = new Times(this.language, this.now);
      this.ageing = new Ageing(this.times, { fade: FADE, end: (row) => this.fade(row) });
      this.unread = new Unread(this.shown, this.read);
      this.stretch = new Stretch(this.shown, {
        before: this.stick && this.more,
        after: !this.stick && this.more,
        emit: (wish) => this.$emit("page", wish),
      });
      this.going = new Set();
      if (this.texts?.takeBack) {
        this.taking = new TakeBack(this.shown, { mine: this.owns ? null : this.me, texts: this.texts });
      }
      if (this.days) this.headings = new Headings(this.shown, this.times, this.texts.fresh);
      if (!this.stick) return;
      this.place = new Place(list, this.shown);
      this.reading = new Reading(this.shown, {
        isAtEnd: () => this.isAtEnd(),
        tell: (seq) => this.$emit("read", { seq }),
      });
    },
    listen() {
      this.onPacket = (packet) => packet.channel === this.channel && this.receive(packet);
      this.onVisible = () => {
        if (document.hidden) return this.reading?.say();
        this.ageing.lookAtAll();
        this.reading?.look();
      };
      this.onLeave = () => this.reading?.say();
      this.whenSocket(() => window.socket.on("feed", this.onPacket));
      document.addEventListener("visibilitychange", this.onVisible);
      window.addEventListener("pagehide", this.onLeave);
      if (!this.stick) return;
      let isFirst = true; // it calls at once, and nothing has changed yet
      this.resized = new ResizeObserver(() => {
        if (!isFirst && this.isAtEnd()) this.toEnd();
        isFirst = false;
      });
      this.resized.observe(this.$refs.list);
    },
    whenSocket(act) {
      if (window.socket) act();
      else setTimeout(() => this.whenSocket(act), 20);
    },

    // What the server says
    receive(packet) {
      const news = packet.news || [];
      if (news.some(({ gone }) => gone)) return this.beForgotten();
      if (news.some(({ left }) => left && left === this.current)) return window.location.assign("/");
      this.asked?.hear(packet);
      this.stretch.hear(packet);
      if (packet.put) this.change(() => packet.put.forEach((row) => this.put(row)));
      packet.drop?.forEach((key) => this.fade(this.shown.get(key)));
      for (const { read } of news) if (read) this.unread.mark(read);
      if (news.some(({ recount }) => recount)) this.sync();
      const end = news.find(({ ended }) => ended);
      if (end) this.$emit("ended", { why: end.ended });
    },
    beForgotten() {
      sessionStorage.clear();
      fetch("/session", { method: "DELETE" }).finally(() => window.location.replace("/login"));
    },
    sync() {
      this.asked = new Question(this.shown.keys());
      const beyond = this.stick && this.stretch.after ? String(this.reading.heard) : "";
      const { number, keys } = this.asked;
      this.$emit("sync", { question: number, keys: keys.slice(0, KEYS_MOST), older: this.stretch.before, beyond });
      this.stretch.forgetQuestion();
      this.reading?.begin();
    },
    catchUp({ question, put, keep, more, read, now }) {
      if (question !== this.asked?.number) return; // the answer to the last question knows more
      const { at, keys, news, isOverrun } = this.asked;
      this.asked = null;
      if (isOverrun) return this.sync();
      this.times.set(now, at);
      const isNewer = (key) => news.get(key) === null || (news.has(key) && this.shown.has(key));
      const kept = new Set([...keep, ...put.map(([key]) => key), ...news.keys()]);
      this.change(() => {
        for (const key of keys) if (!kept.has(key)) this.remove(this.shown.get(key));
        if (more !== null) this.stretch.before = more;
        for (const row of put) if (!isNewer(row[0])) this.put(row);
      });
      this.unread.mark(read);
      this.ageing.lookAtAll();
    },
    showPage(answer) {
      let page;
      this.change(() => {
        page = this.stretch.take(answer);
        if (page?.side === END) this.shown.slice().forEach((row) => this.remove(row));
        if (page) this.showAll(page.rows);
        this.beginFresh();
      });
      if (page?.side !== END) return;
      this.asked = null; // what was missed before stands on another page
      this.toEnd();
    },

    // Rows
    change(act) {
      // The reader stays where they are: at the end, or with the row that they read.
      const isAtEnd = this.isAtEnd();
      const change = () => {
        act();
        this.trim();
        this.headings?.arrange(this.shown.takeTouched());
      };
      if (!this.stick || isAtEnd) change();
      else this.place.hold(change);
      if (isAtEnd) this.toEnd();
      this.look();
    },
    put(packed) {
      const row = this.draw(packed);
      if (!row) return;
      const isBeyond = this.stretch.isBeyond(row);
      this.hear(row, !isBeyond);
      if (!isBeyond) this.show(row);
    },
    showAll(rows) {
      for (const row of rows.map(this.draw).filter(Boolean)) {
        this.hear(row, true);
        this.show(row);
      }
    },
    draw([key, order, html]) {
      const known = this.shown.get(key);
      if (order === null && !known) return null; // news of a row that is not shown here
      const row = new Row(key, order ?? known.order, html);
      return this.ageing.hasEnded(row) ? null : row;
    },
    hear(row, isOnPage) {
      const isNews = this.reading?.hear(row, isOnPage);
      if (isNews && row.group !== this.me && !this.isAtEnd()) this.hasMissed = true;
    },
    show(row) {
      const known = this.shown.get(row.key);
      if (known) this.ageing.leave(known);
      if (row.dedup) this.settle(row.dedup);
      if (row.key === this.current) row.node.setAttribute("aria-current", "page");
      this.shown.put(row);
      this.unread.show(row);
      this.ageing.follow(row);
    },
    fade(row) {
      if (!row) return;
      row.node.classList.add("going");
      this.going.add(row);
      this.sweeper ??= setTimeout(() => this.sweep(), FADE);
    },
    sweep() {
      const going = [...this.going].filter((row) => this.shown.get(row.key) === row);
      this.going.clear();
      this.sweeper = null;
      this.change(() => going.forEach((row) => this.remove(row)));
    },
    remove(row) {
      if (!row) return;
      this.ageing.leave(row);
      this.shown.remove(row);
    },
    trim() {
      const excess = this.shown.size - this.cap;
      if (!(excess > 0)) return;
      const remove = (row) => this.remove(row);
      if (!this.stick) return this.stretch.cut(AFTER, excess, remove);
      const isFarFromEnd = !this.isAtEnd() && this.place.isInUpperHalf;
      this.stretch.cut(isFarFromEnd ? AFTER : BEFORE, excess + Math.floor(SPARE * this.cap), remove);
    },

    // Where the reader is
    onScroll() {
      if (!this.stick) return;
      this.place.look();
      this.look();
    },
    look() {
      if (!this.stick) return this.watchEnd();
      if (this.isAtEnd()) this.hasMissed = false;
      this.$refs.list.ariaLive = this.stretch.after ? "off" : "polite"; // what is paged in is no news
      this.showPill();
      this.reading.look();
      if (this.asked) return; // first what was missed, then what lies further away
      if (this.stretch.before && this.place.isNearStart) this.stretch.ask(BEFORE);
      else if (this.stretch.after && this.place.isNearEnd) this.stretch.ask(AFTER);
    },
    watchEnd() {
      this.watcher?.disconnect();
      if (!this.stretch.after || this.shown.size >= this.cap) return;
      this.watcher ??= new IntersectionObserver(
        (entries) => entries.some((entry) => entry.isIntersecting) && this.stretch.ask(AFTER),
        { rootMargin: AHEAD },
      );
      if (this.shown.last) this.watcher.observe(this.shown.last.node);
    },
    isAtEnd() {
      return this.stick && this.place.isAtEnd && !this.stretch.after;
    },
    toStart() {
      // Where the unread began when the list was opened; what comes later is seen as it comes.
      const fresh = this.findFresh();
      this.seeksFresh = fresh !== undefined;
      this.beginFresh();
      if (fresh) fresh.top.scrollIntoView({ block: "start" });
      else this.toEnd();
      this.hasMissed = false;
      this.onScroll();
    },
    beginFresh() {
      const fresh = this.seeksFresh && this.findFresh();
      if (!fresh || (fresh === this.shown.first && this.stretch.before)) return; // it is further up
      this.seeksFresh = false;
      this.headings.beginFresh(fresh.key);
    },
    findFresh() {
      const read = this.read?.[""];
      for (const row of this.shown) if (row.order > read && row.group !== this.me) return row;
    },
    toEnd() {
      if (this.stretch.after) return this.stretch.ask(END);
      this.place.toEnd();
      this.hasMissed = false;
      this.showPill();
    },
    showPill() {
      const { pill } = this.$refs;
      pill.hidden = !this.hasMissed && !this.stretch.after && !this.place.isFarFromEnd;
      pill.textContent = this.hasMissed ? this.texts.pill : this.texts.latest;
    },

    // Rows that are on their way (see composer.js)
    pend(dedup, text) {
      this.settle(dedup);
      if (this.$refs.list.querySelector(`[data-dedup="${CSS.escape(dedup)}"]`)) return; // it is here already
      const template = document.createElement("template");
      template.innerHTML = this.texts.pending;
      const node = template.content.firstElementChild;
      node.classList.add("pending");
      node.dataset.pending = dedup;
      node.querySelector(".text").textContent = text;
      this.$refs.list.append(node);
      this.toEnd();
    },
    settle(dedup) {
      this.$refs.list.querySelector(`[data-pending="${CSS.escape(dedup)}"]`)?.remove();
    },

    // Hands and keys
    onPoint(event) {
      this.taking?.follow(event.target);
    },
    onClick(event) {
      const target = event.target.closest("[data-act]");
      if (!target) return;
      event.preventDefault();
      if (this.taking && !this.taking.confirms(target)) return;
      this.$emit("act", { act: target.dataset.act, key: target.closest("[data-key]").dataset.key });
    },
    onPill() {
      this.$refs.list.focus({ preventScroll: true });
      this.toEnd();
    },
    onKeydown(event) {
      if (!this.stick || !["ArrowUp", "ArrowDown"].includes(event.key)) return;
      const isUp = event.key === "ArrowUp";
      const row = this.shown.get(event.target.dataset.key);
      const next = row ? this.shown.neighbour(row, isUp ? -1 : 1) : isUp ? this.shown.last : this.shown.first;
      if (!next) return;
      next.node.focus();
      event.preventDefault();
    },
  },
};
