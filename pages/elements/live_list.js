// A list of keyed rows that the server draws: inserts, replaces, removes and expires them, and tracks
// the scroll position and the read mark. It does not depend on what the rows show. See live_list/.

import { copyMessages } from "copying";
import { Countdown } from "countdown";
import { Headings } from "headings";
import { ScrollPosition } from "scroll_position";
import { ReadTracker } from "read_tracker";
import { Row, Rows } from "rows";
import { AFTER, BEFORE, END, ListWindow, PendingRequest } from "list_window";
import { Deletion } from "deletion";
import { whenSocket } from "socket";
import { Times } from "times";
import { Unread } from "unread";

const FADE = 150; // ms
const KEYS_MAX = 1_000;
const EVICTED_SHARE = 0.1; // of a full page is evicted at once, so that not every new row evicts one
const PREFETCH = "640px"; // distance below the viewport at which the next rows are requested

// The rows of the first paint, by id of the list; Vue removes them.
const painted = new Map(Array.from(document.querySelectorAll("#app [data-rows]"), (list) => [list.id, readRows(list)]));

function readRows({ dataset, children }) {
  return JSON.parse(dataset.rows).map(([key, order], index) => [key, order, children[index].outerHTML]);
}

export default {
  props: {
    channel: String,
    tag: String,
    label: String,
    language: String,
    now: Number, // the server's time when the page was drawn
    stick: Boolean, // a log: stays scrolled to the end if it is there
    days: Boolean, // show a divider between days
    more: Boolean, // the server has rows beyond those shown
    cap: Number, // maximum number of rows on the page
    read: Object, // read marks: the seq by key of the row, or under "" for the list itself
    current: String, // the key of the row that is open
    me: String, // the group of the reader's own rows
    marks: Object, // classes of single rows, by key
    owns: Boolean, // the reader may delete any row
    missed: String, // tells about rows that came and went unseen
    gone: Number, // order of the last of them
    texts: Object, // translated texts
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
    }, this.missed && [Vue.h("p", { class: "missed" }, this.missed)]);
    if (!this.stick) return list;
    return Vue.h("div", { class: "feed-frame" }, [
      list,
      Vue.h("button", { ref: "pill", type: "button", class: "pill", hidden: true, onClick: this.onPill }),
    ]);
  },
  mounted() {
    // State is not reactive on purpose: a change must not make Vue render.
    this.createParts();
    this.showRows(this.$el.drawn ?? painted.get(this.$el.id) ?? []);
    this.$el.drawn = undefined;
    this.headings?.update(this.rows.takeChanged());
    if (this.stick) this.scrollToFirstUnread();
    else this.updateView();
    this.addListeners();
  },
  unmounted() {
    this.countdown.clear();
    this.readTracker?.cancel();
    this.endObserver?.disconnect();
    this.resizeObserver?.disconnect();
    this.headings?.clear();
    window.socket?.off("feed", this.onPacket);
    document.removeEventListener("visibilitychange", this.onVisible);
    document.removeEventListener("copy", this.onCopy);
    window.removeEventListener("pagehide", this.onLeave);
  },
  methods: {
    createParts() {
      const { list } = this.$refs;
      this.rows = new Rows(list);
      this.times = new Times(this.language, this.now);
      this.countdown = new Countdown(this.times, { fade: FADE, onExpire: (row) => this.fadeOut(row) });
      this.unread = new Unread(this.rows, this.read, this.current);
      this.listWindow = new ListWindow(this.rows, {
        before: this.stick && this.more,
        after: !this.stick && this.more,
        emit: (request) => this.$emit("page", request),
      });
      this.fading = new Set();
      if (this.texts?.takeBack) {
        this.deletion = new Deletion(this.rows, { group: this.owns ? null : this.me, texts: this.texts });
      }
      if (this.days) this.headings = new Headings(this.rows, this.times, this.texts.fresh);
      if (!this.stick) return;
      this.scrollPosition = new ScrollPosition(list, this.rows);
      this.readTracker = new ReadTracker(this.rows, {
        gone: this.gone ?? 0,
        isAtEnd: () => this.isAtEnd(),
        send: (seq) => this.$emit("read", { seq }),
      });
    },
    addListeners() {
      this.onPacket = (packet) => packet.channel === this.channel && this.receive(packet);
      this.onVisible = () => {
        if (document.hidden) return this.readTracker?.flush();
        this.countdown.updateAll();
        this.headings?.updateDays();
        this.readTracker?.update();
      };
      this.onLeave = () => this.readTracker?.flush();
      whenSocket((socket) => socket.on("feed", this.onPacket));
      document.addEventListener("visibilitychange", this.onVisible);
      window.addEventListener("pagehide", this.onLeave);
      if (!this.stick) return;
      this.onCopy = (event) => copyMessages(event, this.rows);
      document.addEventListener("copy", this.onCopy);
      // The observer also calls at the start: the list may have changed since it was scrolled.
      const { list } = this.$refs;
      const measure = () => `${list.clientWidth} ${list.clientHeight}`;
      let size = measure();
      this.resizeObserver = new ResizeObserver(() => {
        const previous = size;
        size = measure();
        if (size !== previous && this.isAtEnd()) this.scrollToEnd();
      });
      this.resizeObserver.observe(list);
    },

    // Messages of the server
    receive(packet) {
      const news = packet.news || [];
      if (news.some(({ gone }) => gone)) return this.signOut();
      if (news.some(({ left }) => left && left === this.current)) return window.location.assign(".");
      this.pendingSync?.receive(packet);
      this.listWindow.receive(packet);
      if (packet.put) this.applyChange(() => packet.put.forEach((row) => this.put(row)));
      packet.drop?.forEach((key) => this.fadeOut(this.rows.get(key)));
      for (const { read } of news) if (read) this.unread.update(read);
      if (news.some(({ recount }) => recount)) this.sync();
      const end = news.find(({ ended }) => ended);
      if (end) this.$emit("ended", { why: end.ended });
    },
    signOut() {
      sessionStorage.clear();
      fetch("session", { method: "DELETE" }).finally(() => window.location.replace("login"));
    },
    sync() {
      this.pendingSync = new PendingRequest(this.rows.keys());
      const beyond = this.stick && this.listWindow.after ? String(this.readTracker.received) : "";
      const { number, keys } = this.pendingSync;
      this.$emit("sync", { question: number, keys: keys.slice(0, KEYS_MAX), older: this.listWindow.before, beyond });
      this.listWindow.resetRequest();
      this.readTracker?.reset();
    },
    catchUp({ question, put, keep, more, read, now }) {
      if (question !== this.pendingSync?.number) return; // a newer request is pending
      const { sentAt, keys, changes, hasOverflowed } = this.pendingSync;
      this.pendingSync = null;
      if (hasOverflowed) return this.sync();
      this.times.synchronise(now, sentAt);
      const isNewer = (key) => changes.get(key) === null || (changes.has(key) && this.rows.has(key));
      const kept = new Set([...keep, ...put.map(([key]) => key), ...changes.keys()]);
      this.applyChange(() => {
        for (const key of keys) if (!kept.has(key)) this.remove(this.rows.get(key));
        if (more !== null) this.listWindow.before = more;
        for (const row of put) if (!isNewer(row[0])) this.put(row);
      });
      this.unread.update(read);
      this.countdown.updateAll();
    },
    showPage(response) {
      let page;
      this.applyChange(() => {
        page = this.listWindow.receivePage(response);
        if (page?.side === END) this.rows.slice().forEach((row) => this.remove(row));
        if (page) this.showRows(page.rows);
        this.placeUnreadDivider();
      });
      if (page?.side !== END) return;
      this.pendingSync = null; // its rows are not on this page
      this.scrollToEnd();
    },

    // Rows
    applyChange(action) {
      // Keeps the scroll position: at the end, or at the first visible row.
      const isAtEnd = this.isAtEnd();
      const change = () => {
        action();
        this.evictExcess();
        this.headings?.update(this.rows.takeChanged());
        this.updatePendingHeadings();
      };
      if (!this.stick || isAtEnd) change();
      else this.scrollPosition.preserve(change);
      if (isAtEnd) this.scrollToEnd();
      this.updateView();
    },
    put(packed) {
      const row = this.createRow(packed);
      if (!row) return;
      const isOnPage = !this.listWindow.isAfterWindow(row);
      this.track(row, isOnPage);
      if (isOnPage) this.show(row);
    },
    showRows(packed) {
      for (const row of packed.map(this.createRow).filter(Boolean)) {
        this.track(row, true);
        this.show(row);
      }
    },
    createRow([key, order, html]) {
      const existing = this.rows.get(key);
      if (order === null && !existing) return null; // an update of a row that is not shown
      const row = new Row(key, order ?? existing.order, html);
      return this.countdown.hasExpired(row) ? null : row;
    },
    track(row, isOnPage) {
      const isNew = this.readTracker?.receive(row, isOnPage);
      if (isNew && row.group !== this.me && !this.isAtEnd()) this.hasUnseenRows = true;
    },
    show(row) {
      const existing = this.rows.get(row.key);
      if (existing) this.countdown.remove(existing);
      if (row.dedup) this.removePending(row.dedup);
      if (row.key === this.current) row.node.querySelector("a").ariaCurrent = "page";
      row.node.classList.add(...(this.marks?.[row.key] ?? []));
      this.rows.put(row);
      this.unread.render(row);
      this.countdown.add(row);
    },
    fadeOut(row) {
      if (!row) return;
      row.node.classList.add("going");
      this.fading.add(row);
      this.fadeTimer ??= setTimeout(() => this.removeFaded(), FADE);
    },
    removeFaded() {
      const faded = [...this.fading].filter((row) => this.rows.get(row.key) === row);
      this.fading.clear();
      this.fadeTimer = null;
      this.applyChange(() => faded.forEach((row) => this.remove(row)));
    },
    remove(row) {
      if (!row) return;
      this.countdown.remove(row);
      this.unread.remove(row);
      this.rows.remove(row);
    },
    evictExcess() {
      const excess = this.rows.size - this.cap;
      if (!(excess > 0)) return;
      const remove = (row) => this.remove(row);
      if (!this.stick) return this.listWindow.evict(AFTER, excess, remove);
      const isFarFromEnd = !this.isAtEnd() && this.scrollPosition.isInUpperHalf;
      const count = excess + Math.floor(EVICTED_SHARE * this.cap);
      this.listWindow.evict(isFarFromEnd ? AFTER : BEFORE, count, remove);
    },

    // Scroll position
    onScroll() {
      if (!this.stick) return;
      this.scrollPosition.update();
      this.updateView();
    },
    updateView() {
      if (!this.stick) return this.observeEnd();
      if (this.isAtEnd()) this.hasUnseenRows = false;
      // Screen readers announce new rows, but not rows loaded by scrolling.
      this.$refs.list.ariaLive = this.listWindow.after ? "off" : "polite";
      this.showPill();
      this.readTracker.update();
      if (this.pendingSync) return; // missed rows first, then further pages
      if (this.listWindow.before && this.scrollPosition.isNearStart) this.listWindow.request(BEFORE);
      else if (this.listWindow.after && this.scrollPosition.isNearEnd) this.listWindow.request(AFTER);
    },
    observeEnd() {
      this.endObserver?.disconnect();
      if (!this.listWindow.after || this.rows.size >= this.cap) return;
      this.endObserver ??= new IntersectionObserver(
        (entries) => entries.some((entry) => entry.isIntersecting) && this.listWindow.request(AFTER),
        { rootMargin: PREFETCH },
      );
      if (this.rows.last) this.endObserver.observe(this.rows.last.node);
    },
    isAtEnd() {
      return this.stick && this.scrollPosition.isAtEnd && !this.listWindow.after;
    },
    scrollToFirstUnread() {
      const row = this.findFirstUnread();
      this.needsUnreadDivider = row !== undefined;
      this.placeUnreadDivider();
      if (row) row.firstNode.scrollIntoView({ block: "start" });
      else this.scrollToEnd();
      this.hasUnseenRows = false;
      this.onScroll();
    },
    placeUnreadDivider() {
      const row = this.needsUnreadDivider && this.findFirstUnread();
      // Before the first row of the page there may be older unread ones.
      if (!row || (row === this.rows.first && this.listWindow.before)) return;
      this.needsUnreadDivider = false;
      this.headings.setFirstUnread(row.key);
    },
    findFirstUnread() {
      const read = this.read?.[""]; // the mark at the time when the page was opened
      for (const row of this.rows) if (row.order > read && row.group !== this.me) return row;
    },
    scrollToEnd() {
      if (this.listWindow.after) return this.listWindow.request(END);
      this.scrollPosition.scrollToEnd();
      this.hasUnseenRows = false;
      this.showPill();
    },
    showPill() {
      const { pill } = this.$refs;
      pill.hidden = !this.hasUnseenRows && !this.listWindow.after && !this.scrollPosition.isFarFromEnd;
      pill.textContent = this.hasUnseenRows ? this.texts.pill : this.texts.latest;
    },

    // Messages that are being sent (see composer.js)
    addPending(dedup, text) {
      this.removePending(dedup);
      if (this.$refs.list.querySelector(`[data-dedup="${CSS.escape(dedup)}"]`)) return; // stored already
      const template = document.createElement("template");
      template.innerHTML = this.texts.pending;
      const node = template.content.firstElementChild;
      node.classList.add("pending");
      node.dataset.pending = dedup;
      node.ariaLive = "off"; // the stored row is announced
      const box = node.querySelector(".text");
      box.textContent = text;
      box.classList.toggle("emoji", new RegExp(this.texts.emoji, "u").test(text));
      this.$refs.list.append(node);
      this.updatePendingHeadings();
      this.scrollToEnd();
    },
    updatePendingHeadings() {
      for (let node = this.$refs.list.lastElementChild; node?.dataset.pending; node = node.previousElementSibling) {
        const isFirst = !node.previousElementSibling?.dataset.pending;
        node.classList.toggle("first", isFirst && this.headings.startsGroup(this.me));
      }
    },
    removePending(dedup) {
      this.$refs.list.querySelector(`[data-pending="${CSS.escape(dedup)}"]`)?.remove();
    },

    // Pointer and keyboard
    onPoint(event) {
      this.deletion?.moveTo(event.target);
    },
    onClick(event) {
      const target = event.target.closest("[data-act]");
      if (!target) return;
      event.preventDefault();
      if (this.deletion && !this.deletion.confirms(target)) return;
      this.$emit("act", { act: target.dataset.act, key: target.closest("[data-key]").dataset.key });
    },
    onPill() {
      this.$refs.list.focus({ preventScroll: true });
      this.scrollToEnd();
    },
    onKeydown(event) {
      if (!this.stick || !["ArrowUp", "ArrowDown"].includes(event.key)) return;
      const isUp = event.key === "ArrowUp";
      const row = this.rows.get(event.target.closest("[data-key]")?.dataset.key);
      const next = row ? this.rows.neighbour(row, isUp ? -1 : 1) : isUp ? this.rows.last : this.rows.first;
      if (!next) return;
      next.node.focus();
      event.preventDefault();
    },
  },
};
