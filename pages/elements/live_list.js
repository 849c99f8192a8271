// A list of keyed rows that the server draws: inserts, replaces, removes and expires them, and tracks
// the scroll position and the read mark. It does not depend on what the rows show. See live_list/.

import { Acquaintances } from "acquaintances";
import { copyMessages, copyText, readSource } from "copying";
import { compose } from "compose";
import { Countdown } from "countdown";
import { Headings } from "headings";
import { JoinNotices } from "join_notices";
import { prepareMarkdown } from "marked_text";
import { MemberMenu } from "member_menu";
import { MessageActions } from "message_actions";
import { Notices } from "notices";
import { ScrollPosition } from "scroll_position";
import { ReadTracker } from "read_tracker";
import { RovingTabindex } from "roving_tabindex";
import { Row, Rows } from "rows";
import { AFTER, BEFORE, END, FROM, ListWindow, PendingRequest } from "list_window";
import { isOnce, OnceMessages } from "once_messages";
import { Deletion } from "deletion";
import { notifier } from "desktop_notifications";
import { addressOf, hideSpoilers, Quotes } from "quotes";
import { isOpened, LEAVING, OPENED, openPath } from "navigation";
import { listActs, listMemberActs, mayActOn } from "order";
import { ReactionPicker } from "reaction_picker";
import { Reactions } from "reactions";
import { showReason } from "reason";
import { whenSocket } from "socket";
import { Times } from "times";
import { showUnseen } from "title";
import { Unread } from "unread";
import { formatCount, Unseen } from "unseen";

const FORGOTTEN = "forgotten"; // as in sign_in.js
const FADE = 150; // ms
const FLASH = 2_000; // ms for which a message that was jumped to is marked
const ROWS_ABOVE = 20; // that are loaded above it
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
    arrows: Boolean, // one tab stop, whose rows are reached by the arrow keys
    days: Boolean, // show a divider between days
    more: Boolean, // the server has rows beyond those shown
    cap: Number, // maximum number of rows on the page
    read: Object, // read marks: the seq by key of the row, or under "" for the list itself
    mentioned: Object, // the last seq that mentions the reader, by key of the row
    next: Object, // when the next unread message of a row disappears
    first_rows: Array, // unless they are in the first paint of the page
    tracks_path: Boolean, // rows are links, one of which may be to what the page shows
    me: String, // the group of the reader's own rows
    room: String, // the id of the room whose messages these are
    marks: Object, // classes of single rows, by key
    role: String, // the reader keeps order: "owner" or "helper"
    orders: Object, // texts of what they may do to others, by name (see order.js)
    missed: String, // tells about rows that came and went unseen
    gone: Number, // order of the last of them
    texts: Object, // translated texts
    emoji: Object, // what the dialog of all emoji needs
    met: Object, // of a list of people: their room, and the texts that tell who was met before
    actions: Array, // further items of the menu of a row: pairs of an id and a text
    total: String, // id of the element that shows the number of rows
  },
  emits: ["sync", "page", "read", "ended", "act", "react", "find", "doors", "open"],
  render() {
    const list = Vue.h(this.tag, {
      ref: "list",
      class: ["feed", `feed-${this.channel}`],
      role: this.stick ? "log" : undefined,
      "aria-label": this.label || undefined,
      "aria-live": this.stick ? "polite" : undefined,
      tabindex: this.stick ? 0 : this.arrows ? -1 : undefined,
      onScroll: this.onScroll,
      onKeydown: this.onKeydown,
      onClick: this.onClick,
    }, this.missed && [Vue.h("p", { class: "missed" }, this.missed)]);
    if (!this.stick) return list;
    const pill = (ref, onClick) => Vue.h("button", { ref, type: "button", class: `pill to-${ref}`, hidden: true, onClick });
    return Vue.h("div", { class: "feed-frame" }, [
      pill("first", this.scrollToFirstUnseen),
      list,
      pill("latest", this.onLatest),
    ]);
  },
  mounted() {
    // State is not reactive on purpose: a change must not make Vue render.
    this.createParts();
    this.showRows(this.first_rows ?? painted.get(this.$el.id) ?? []);
    painted.delete(this.$el.id);
    this.markOpened();
    this.markFilled();
    this.headings?.update(this.rows.takeChanged());
    this.showTotal();
    this.meet();
    if (this.stick) this.scrollToFirstUnread();
    else this.updateView();
    if (this.stick && !document.hidden) this.markSeen();
    if (this.stick) this.openLinked();
    this.addListeners();
  },
  unmounted() {
    this.flush();
    this.countdown.clear();
    this.readTracker?.cancel();
    this.notices?.clear();
    this.joinNotices?.clear();
    this.quotes?.clear();
    this.picker?.close();
    this.menu?.close();
    clearTimeout(this.fadeTimer);
    this.actionGroup?.close();
    this.once?.close();
    clearTimeout(this.flashTimer);
    clearTimeout(this.pillTimer);
    this.endObserver?.disconnect();
    this.resizeObserver?.disconnect();
    this.headings?.clear();
    window.socket?.off("feed", this.onPacket);
    document.removeEventListener("visibilitychange", this.onVisible);
    document.removeEventListener(OPENED, this.markOpened);
    document.removeEventListener(LEAVING, this.onLeave);
    document.removeEventListener("copy", this.onCopy);
    document.removeEventListener("click", this.onOtherClick, true);
    window.removeEventListener("pagehide", this.onLeave);
  },
  methods: {
    createParts() {
      const { list } = this.$refs;
      this.rows = new Rows(list);
      this.times = new Times(this.language, this.now);
      this.countdown = new Countdown(this.times, { fade: FADE, onExpire: (row) => this.fadeOut(row) });
      this.unread = new Unread(this.rows, this, {
        redraw: (row) => this.countdown.restart(row),
        tellTotal: (total) => showUnseen({ elsewhere: total }),
      });
      this.listWindow = new ListWindow(this.rows, {
        before: this.stick && this.more,
        after: !this.stick && this.more,
        emit: (request) => this.$emit("page", request),
      });
      this.fading = new Set();
      this.news = []; // messages to notify of
      this.unmet = []; // rows of people
      if (this.met) this.acquaintances = new Acquaintances({ storage: localStorage, language: this.language, ...this.met });
      if (this.stick || this.arrows) this.roving = new RovingTabindex(list, this.rows);
      if (this.days) this.headings = new Headings(this.rows, this.times, this.texts.fresh);
      if (!this.stick && this.orders) {
        this.menu = new MemberMenu(list, this.rows, {
          label: this.texts.more,
          tabIndex: -1,
          listItems: ({ key }) => this.listOrders(key, listMemberActs(key, this)),
        });
      }
      if (!this.stick) return;
      this.notices = new Notices(list);
      this.deletion = new Deletion({
        notices: this.notices,
        texts: this.texts,
        hide: (row) => this.applyChange(() => this.remove(row)),
        show: (row) => this.showAgain(row),
        send: (key) => this.$emit("act", { act: "delete", key }),
        announce: (key, begins) => this.$emit("act", { act: begins ? "delete_later" : "keep", key }),
      });
      this.actionGroup = new MessageActions(list, this.rows, {
        label: this.texts.actions,
        more: this.texts.more,
        actions: this.listActions(),
        listItems: (row) => this.listMenuItems(row),
      });
      this.picker = new ReactionPicker(list, this.texts, this.emoji);
      this.reactions = new Reactions(list, this.rows, {
        me: this.me,
        language: this.language,
        texts: this.texts,
        toggle: (key, emoji, on) => this.$emit("react", { key, emoji, on }),
      });
      this.quotes = new Quotes(this.rows, this.times, {
        texts: this.texts,
        read: readSource,
        ask: (ids) => this.$emit("find", { ids }),
        open: (id) => this.openMessage(id),
      });
      this.once = new OnceMessages(this.times, {
        me: this.me,
        texts: this.texts,
        ask: (key) => this.$emit("open", { key }),
        giveBack: (key) => (this.rows.get(key)?.node ?? list).focus({ preventScroll: true }),
      });
      this.joinNotices = new JoinNotices(list, this.rows, { me: this.me, texts: this.texts });
      this.unseen = new Unseen(this.read?.[""]);
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
        if (document.hidden) return this.flush();
        this.countdown.updateAll();
        this.headings?.updateDays();
        if (!this.stick) return;
        this.markSeen();
        this.updateView();
      };
      this.onLeave = () => {
        this.flush();
        this.once?.close(); // a page that is kept for the way back must not show it again
      };
      whenSocket((socket) => socket.on("feed", this.onPacket));
      document.addEventListener("visibilitychange", this.onVisible);
      window.addEventListener("pagehide", this.onLeave);
      document.addEventListener(LEAVING, this.onLeave);
      if (this.tracks_path) document.addEventListener(OPENED, this.markOpened);
      if (!this.stick) return;
      this.onCopy = (event) => copyMessages(event, this.rows);
      document.addEventListener("copy", this.onCopy);
      document.addEventListener("click", this.onOtherClick, true);
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
      const leaving = news.find(({ left }) => left && this.isOpened(this.rows.get(left)));
      if (leaving) openPath(leaving.removed ? window.location.href : "."); // there it says so
      this.pendingSync?.receive(packet);
      this.listWindow.receive(packet);
      for (const [key] of packet.put ?? []) this.quotes?.forget(key);
      if (packet.put) this.applyChange(() => packet.put.forEach((row) => this.put(row)));
      packet.drop?.forEach((key) => this.drop(key));
      this.notify();
      if (packet.drop && this.stick) this.showPills();
      for (const { read, mentioned, own } of news) {
        for (const [room, seq] of Object.entries({ ...read, ...own })) notifier.see(room, seq);
        if (read) this.unread.read(read);
        if (mentioned) this.unread.mention(mentioned);
        this.notifyOfMentions(mentioned ?? {});
      }
      for (const { title } of news) if (title) document.title = title;
      if (news.some(({ recount }) => recount)) this.sync();
      if (news.some(({ doors }) => doors)) this.$emit("doors");
      for (const { moved } of news) if (moved) this.showMove(moved);
      const end = news.find(({ ended }) => ended);
      if (!end) return;
      if (this.room) new Acquaintances({ storage: localStorage, room: this.room, language: this.language }).forget();
      this.$emit("ended", { why: end.ended });
    },
    showMove(moved) {
      if (this.listWindow.after || !this.joinNotices.isShown(moved)) return;
      this.applyChange(() => this.joinNotices.add(moved));
    },
    signOut() {
      localStorage.clear();
      sessionStorage.clear();
      sessionStorage.setItem(FORGOTTEN, "true"); // the login page says so
      fetch("session", { method: "DELETE" }).finally(() => window.location.replace("login"));
    },
    sync() {
      this.pendingSync = new PendingRequest([...this.rows.keys(), ...(this.deletion?.keys() ?? [])]);
      const beyond = this.stick && this.listWindow.after ? String(this.readTracker.received) : "";
      const { number, keys } = this.pendingSync;
      this.$emit("sync", { question: number, keys: keys.slice(0, KEYS_MAX), older: this.listWindow.before, beyond });
      this.listWindow.resetRequest();
      this.readTracker?.reset();
      this.quotes?.reset();
      this.once?.reset();
    },
    catchUp({ question, put, keep, more, now, ...unread }) {
      if (question !== this.pendingSync?.number) return; // a newer request is pending
      const pending = this.pendingSync;
      const { sentAt, keys, changes, hasOverflowed } = pending;
      this.pendingSync = null;
      if (hasOverflowed) return this.sync();
      this.times.synchronise(now, sentAt);
      const isNewer = (key) => changes.get(key) === null || (changes.has(key) && this.rows.has(key));
      const kept = new Set([...keep, ...put.map(([key]) => key), ...changes.keys()]);
      this.applyChange(() => {
        for (const key of keys.filter((each) => !kept.has(each))) {
          this.deletion?.conclude(key);
          this.removeGone(key);
        }
        if (more !== null) this.listWindow.before = more;
        for (const row of put) if (!isNewer(row[0])) this.put(pending.update(row));
      });
      this.notifyOfMentions(this.unread.update(unread));
      this.notify();
      this.countdown.updateAll();
    },
    showPage(response) {
      let page, isJump;
      this.applyChange(() => {
        page = this.listWindow.receivePage(response);
        isJump = page?.side === END || page?.side === FROM;
        if (isJump) this.clearForJump(page.side);
        if (page) this.showRows(page.rows);
        this.placeUnreadDivider();
      });
      if (isJump) this.pendingSync = null; // its rows are not on this page
      if (page?.side === END) this.endJump();
      else if (page?.side === FROM && this.wantedKey) this.showWanted();
      else if (page?.side === FROM) this.scrollToUnread(this.findFirstUnread());
      else if (page && this.isJumping) this.seekUnread();
    },

    clearForJump(side) {
      this.hasGap = side === FROM && this.isJumping; // rows before the end are not counted
      this.isJumping = true;
      this.rows.slice().forEach((row) => this.remove(row));
    },
    endJump() {
      this.isJumping = false;
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
        this.markFilled();
      };
      if (!this.stick || isAtEnd) change();
      else this.scrollPosition.preserve(change);
      this.showTotal();
      this.meet();
      if (isAtEnd && !this.listWindow.after) this.scrollToEnd(); // unless a jump has led elsewhere
      this.updateView();
    },
    showTotal() {
      if (this.total) document.getElementById(this.total).textContent = ` ${this.rows.size}`;
    },
    meet() {
      if (!this.unmet.length) return;
      const met = this.unmet.splice(0).map((row) => [row, describePerson(row)]);
      this.acquaintances.meet(met.map(([, person]) => person));
      for (const [{ key, node }, person] of met) {
        const text = this.marks?.[key]?.includes("own") ? "" : this.acquaintances.describe(person);
        if (!text) continue;
        const mark = document.createElement("small");
        mark.className = "mark-of-member met";
        mark.textContent = text;
        (node.querySelector(".badge") ?? node.querySelector(".who")).after(mark);
      }
    },
    put(packed) {
      const row = this.createRow(packed);
      if (!row) return;
      const isOnPage = !this.listWindow.isAfterWindow(row);
      if (packed[1] !== null && this.track(row, isOnPage)) this.news.push(this.describeNews(row));
      if (isOnPage) this.show(row);
    },
    showRows(packed) {
      for (const row of packed.map(this.createRow).filter(Boolean)) {
        this.track(row, true);
        this.show(row);
      }
    },
    createRow([key, order, html]) {
      const hidden = this.deletion?.find(key);
      const existing = hidden ?? this.rows.get(key);
      if (order === null && !existing) return null; // an update of a row that is not shown
      const row = new Row(key, order ?? existing.order, html);
      if (this.countdown.hasExpired(row)) return null;
      if (this.stick) this.prepareMarkdown(row, existing);
      if (!hidden) return row;
      this.deletion.replace(row);
      return null;
    },
    prepareMarkdown({ node }, existing) {
      const onCopied = () => this.notices.show(this.texts.copied);
      prepareMarkdown(node, { existing: existing?.node, texts: this.texts, onCopied });
    },
    // Returns whether it is a message of somebody else that was not received before.
    track(row, isOnPage) {
      const isNew = this.readTracker?.receive(row, isOnPage);
      if (row.group === this.me) return false;
      this.unseen?.add(row);
      return isNew;
    },
    // Notifies of messages: in a room that is open but not visible, or in others.
    notify() {
      const news = this.news.splice(0);
      if (this.stick && !document.hidden) return this.markSeen();
      for (const message of news) notifier.add(message);
    },
    notifyOfMentions(seqs) {
      for (const [room, seq] of Object.entries(seqs)) {
        if (!this.unread.isOpened(room)) notifier.add({ room, seq, mentions: true, news: this.texts.new_message });
      }
    },
    markSeen() {
      notifier.see(this.room, this.readTracker.received);
    },
    describeNews(row) {
      return {
        room: this.room,
        seq: row.order,
        mentions: this.isMentioned(row),
        until: row.until - this.times.now() + Date.now(),
        name: row.name,
        text: hideSpoilers(readSource(row)),
        news: this.texts.new_message,
      };
    },
    isMentioned({ node }) {
      return node.dataset.mentions.split(" ").includes(this.me);
    },
    show(row) {
      const existing = this.rows.get(row.key);
      if (existing) this.countdown.remove(existing);
      if (row.dedup) this.removePending(row.dedup);
      if (this.isOpened(row)) row.node.querySelector("a").ariaCurrent = "page";
      row.node.classList.add(...(this.marks?.[row.key] ?? []));
      if (this.met) this.unmet.push(row);
      if (this.arrows) this.roving.add(row);
      if (this.stick) this.personalise(row, existing);
      const shown = this.actionGroup ?? this.menu;
      if (shown) shown.keepOn(existing, row, () => this.rows.put(row));
      else this.rows.put(row);
      this.quotes?.add(row);
      if (this.unread.render(row) && existing) this.notifyOfRoom(row, existing);
      this.countdown.add(row);
    },
    notifyOfRoom({ key, node }, { node: before }) {
      const { last } = node.dataset;
      if (last > Number(before.dataset.last)) this.news.push({ room: key, seq: Number(last), news: this.texts.new_message });
    },
    // Adds what differs by reader.
    personalise(row, existing) {
      const { node } = row;
      const edited = node.querySelector(".edited");
      if (edited) edited.textContent = this.texts.edited;
      node.classList.toggle("mentioned", this.isMentioned(row));
      this.reactions.add(row);
      this.quotes.draw(row);
      this.once.draw(row);
      // Screen readers would read the whole message again for a reaction.
      if (existing && readSource(existing) === readSource(row)) node.ariaLive = "off";
    },
    isOpened(row) {
      return this.tracks_path && row && isOpened(row.node.querySelector("a"));
    },
    markOpened() {
      if (!this.tracks_path) return;
      for (const row of this.rows) row.node.querySelector("a").ariaCurrent = this.isOpened(row) ? "page" : null;
      this.unread.setOpened([...this.rows].find((row) => this.isOpened(row))?.key);
    },
    drop(key) {
      this.deletion?.settle(key);
      this.quotes?.forget(key);
      this.unseen?.remove(key);
      if (this.stick) notifier.withdraw(this.room, Number(key));
      this.fadeOut(this.rows.get(key));
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
      this.applyChange(() => faded.forEach(({ key }) => this.removeGone(key)));
    },
    // Removes a row that is gone, in contrast to one that leaves the page only.
    removeGone(key) {
      this.unseen?.remove(key);
      this.remove(this.rows.get(key));
    },
    remove(row) {
      if (!row) return;
      this.countdown.remove(row);
      this.unread.remove(row);
      (this.actionGroup ?? this.menu)?.leave(row);
      this.rows.remove(row);
      this.quotes?.remove(row);
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
      this.isJumping &&= this.scrollPosition.isNearStart;
      this.updateView();
    },
    updateView() {
      if (this.arrows) this.roving.update();
      if (!this.stick) return this.observeEnd();
      // Screen readers announce new rows, but not rows loaded by scrolling.
      this.$refs.list.ariaLive = this.listWindow.after ? "off" : "polite";
      this.showPills();
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
      this.needsUnreadDivider = this.findFirstUnread() !== undefined;
      if (!this.needsUnreadDivider) this.scrollToEnd();
      this.placeUnreadDivider();
      this.seekUnread();
    },
    seekUnread() {
      this.isJumping = this.needsUnreadDivider; // what is visible is not read yet
      const read = this.read?.[""];
      const isFar = this.isJumping && this.rows.last.order - read > this.cap;
      if (isFar) this.listWindow.request(FROM, read + 1); // too far to load all between
      else this.scrollTo(this.findFirstUnread());
    },
    // Shows it at the top, if there is one.
    scrollTo(row) {
      const isFirst = row === this.rows.first && !this.listWindow.before;
      const top = isFirst ? this.$refs.list.firstElementChild : row?.firstNode;
      top?.scrollIntoView({ block: "start" });
      this.onScroll();
    },
    scrollToFirstUnseen() {
      const { key, order } = this.unseen.first ?? {};
      if (this.rows.has(key)) this.scrollToUnread(this.rows.get(key));
      else if (key) this.listWindow.request(FROM, order);
    },
    scrollToUnread(row) {
      this.needsUnreadDivider = this.isJumping = false;
      this.headings.setFirstUnread(row?.key);
      this.scrollTo(row);
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
    // Messages that links lead to
    openLinked() {
      const id = new URLSearchParams(window.location.search).get("message");
      if (id) this.$nextTick(() => this.openMessage(id)); // the focus is not in the composer then
    },
    openMessage(id) {
      const row = [...this.rows].find((each) => each.id === id);
      if (row) return this.flash(row);
      this.wantedId = id;
      this.$emit("find", { ids: [id] });
    },
    showFound(ids, found) {
      this.quotes.receive(ids, found);
      if (!ids.includes(this.wantedId)) return;
      const { key } = found[this.wantedId] ?? {};
      this.wantedId = undefined;
      if (key) this.openSeq(key);
      else this.notices.show(this.texts.gone);
    },
    // Shows a message, which may be on another page of the history.
    openSeq(key) {
      const row = this.rows.get(key);
      if (row) return this.flash(row);
      this.wantedKey = key;
      this.listWindow.request(FROM, Math.max(1, Number(key) - ROWS_ABOVE));
    },
    showWanted() {
      const row = this.rows.get(this.wantedKey);
      this.wantedKey = undefined;
      this.needsUnreadDivider = this.isJumping = false;
      if (row) this.flash(row);
      else this.notices.show(this.texts.gone);
    },
    flash(row) {
      this.needsUnreadDivider = this.isJumping = false;
      row.node.scrollIntoView({ block: "center" });
      row.node.focus({ preventScroll: true });
      this.$refs.list.querySelector(".flash")?.classList.remove("flash");
      row.node.classList.add("flash");
      clearTimeout(this.flashTimer);
      this.flashTimer = setTimeout(() => row.node.classList.remove("flash"), FLASH);
      this.onScroll();
    },
    scrollToEnd() {
      if (this.listWindow.after) return this.listWindow.request(END);
      this.scrollPosition.scrollToEnd();
      this.showPills();
    },
    showPills() {
      const { above, below, firstAbove, firstBelow } = this.countUnseen();
      const { first, latest } = this.$refs;
      const { after } = this.listWindow;
      this.hasGap &&= after;
      this.showPill(first, this.texts.first, above, firstAbove);
      const small = document.createElement("small");
      small.textContent = firstAbove ? this.describeNext(firstAbove) : "";
      first.append(small);
      first.hidden = !above;
      this.showPill(latest, this.texts.latest, this.hasGap ? Infinity : below, firstBelow);
      latest.hidden = !below && !after && !this.scrollPosition.isFarFromEnd;
    },
    showPill(pill, text, count, next) {
      const number = count && formatCount(count);
      pill.textContent = count ? `${text} · ${this.texts.count.replace("{}", number)}` : text;
      pill.title = count && next ? `${number} ${this.texts.unread}, ${this.describeNext(next)}` : "";
    },
    describeNext(moment) {
      return this.texts.next.replace("{}", this.times.formatLeft(moment)[0]);
    },
    // Forgets the visible rows first; counts those above them and below, and finds their first expiry.
    countUnseen() {
      clearTimeout(this.pillTimer);
      const next = this.unseen.expire(this.times.now());
      if (next === Infinity) return {};
      const delay = Math.min(this.times.timeLeft(next), this.times.formatLeft(next)[1]);
      this.pillTimer = setTimeout(() => this.showPills(), delay);
      const [first, last] = this.scrollPosition.visible;
      if (!first || !last) return { below: this.unseen.size, firstBelow: next };
      if (!document.hidden && !this.isJumping) this.unseen.see(first, last);
      return {
        above: this.unseen.countBefore(first),
        below: this.unseen.countAfter(last),
        firstAbove: this.unseen.nextBefore(first),
        firstBelow: this.unseen.nextAfter(last),
      };
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
      this.markFilled();
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
      this.markFilled();
    },
    // For the style sheet: if it asked with :has(), each new row would restyle what is around.
    markFilled() {
      if (!this.stick) return;
      const isFilled = this.$refs.list.querySelector(":scope > .message") !== null;
      this.$el.classList.toggle("filled", isFilled);
      this.$el.parentElement?.classList.toggle("no-messages", !isFilled);
    },

    // Deletion
    showAgain(row) {
      if (this.countdown.hasExpired(row)) return;
      const isBeforeWindow = this.listWindow.before && row.order < this.rows.first?.order;
      if (isBeforeWindow || this.listWindow.isAfterWindow(row)) return; // scrolling loads it
      this.applyChange(() => this.show(row));
    },
    failDeletion(key, reason, seconds) {
      this.countDown(this.deletion.fail(key, reason), reason, seconds);
    },
    failAction(reason, seconds) {
      this.countDown(this.notices.show(reason, { role: "alert" }), reason, seconds);
    },
    showOpened(key, html) {
      this.once.show(key, html);
    },
    failOpening(key, reason, seconds) {
      this.once.fail(key);
      this.failAction(reason, seconds);
    },
    countDown(notice, reason, seconds) {
      showReason(notice.node.firstChild, reason, seconds, () => this.notices.end(notice));
    },
    listActions() {
      const { texts } = this;
      const isDeletable = (row) => row.group === this.me || mayActOn(row.group, this);
      return [
        { icon: "smile", text: texts.react, popup: "dialog", act: (row, place) => this.react(row.key, place) },
        { icon: "reply", text: texts.reply, act: (row) => compose("reply", describe(row)) },
        { icon: "edit", text: texts.edit, isAllowed: this.isEditable, act: (row) => compose("edit", describe(row)) },
        { icon: "delete", text: texts.delete, isAllowed: isDeletable, act: (row) => this.deletion.begin(row) },
      ];
    },
    listMenuItems(row) {
      const { texts } = this;
      const items = [[texts.copy_link, () => this.copy(addressOf(row.id))]];
      if (!isOnce(row)) items.unshift([texts.copy, () => this.copy(readSource(row))]);
      if (this.once.canOpen(row)) items.unshift([texts.open_once, () => this.once.open(row)]);
      for (const [id, text] of this.actions ?? []) items.push([text, () => this.$emit("act", { act: id, key: row.key })]);
      return this.orders ? [...items, ...this.listOrders(row.group, listActs(row.group, this))] : items;
    },
    listOrders(author, acts) {
      return acts.map((act) => [this.orders[act], () => this.$emit("act", { act, author })]);
    },
    react(key, place) {
      this.picker.open(place, {
        choose: (emoji) => this.$emit("react", { key, emoji, on: true }),
        giveBack: () => this.rows.get(key)?.node.focus({ preventScroll: true }),
      });
    },
    async copy(text) {
      if (await copyText(text)) this.notices.show(this.texts.copied);
    },
    isEditable(row) {
      return row.group === this.me && !row.node.dataset.kind && !isOnce(row);
    },
    editLast() {
      const row = this.rows.slice().reverse().find((each) => this.isEditable(each));
      if (row) compose("edit", describe(row));
    },
    // A button or link beside the messages may end the membership, without which nothing can be
    // deleted: it has to wait for the deletions.
    async onOtherClick(event) {
      const target = event.target.closest("a, button");
      if (!target || target.closest("form") || this.$el.contains(target)) return;
      if (!event.isTrusted || !this.deletion.isPending) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      await this.deletion.finish();
      target.click();
    },
    flush() {
      this.deletion?.flush();
      this.readTracker?.flush();
    },

    // Pointer and keyboard
    onClick(event) {
      const target = event.target.closest("[data-act]");
      if (!target) return;
      event.preventDefault();
      this.$emit("act", { act: target.dataset.act, key: target.closest("[data-key]").dataset.key });
    },
    onKeydown(event) {
      if (this.stick && event.key === "Escape" && !event.isComposing && !event.defaultPrevented) this.onLatest();
    },
    onLatest() {
      this.$refs.list.focus({ preventScroll: true });
      this.scrollToEnd();
    },
  },
};

function describePerson({ key, name, node }) {
  return { author: key, name, badge: node.querySelector(".badge")?.textContent ?? "" };
}

function describe(row) {
  return { key: row.key, id: row.id, text: readSource(row), name: row.node.querySelector(".who").textContent };
}
