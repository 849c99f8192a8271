// A list of keyed rows, drawn by the server. Knows how to put and drop them, how time passes for
// them, and where the reader is; nothing of what they mean.

const SOON = 60_000; // the last minute of a row
const TOGETHER = 300_000; // rows of one group within so much time need only one heading
const NEAR = 80; // pixels from the end that still count as being there
const FADE = 150;
const TICK = 500;
const KEYS_MOST = 1_000;
const TARGETS = "a, button"; // what one can be on inside a row
const UNITS = [["day", 86_400, 2 * 86_400], ["hour", 3_600, 3_600], ["minute", 60, 60]]; // name, size, used from

export default {
  props: {
    channel: String,
    tag: String,
    label: String,
    language: String,
    now: Number, // the server's time when the page was drawn
    stick: Boolean, // stay at the end while the reader is there
    days: Boolean, // part the rows by days
    more: Boolean, // there are rows beyond those shown
    cap: Number, // so many rows stay on the page
    read: Object, // how far the reader has read: by key, or under "" for the list itself
    current: String, // the key of the row that is open
    me: String, // the group that is the reader's own
    texts: Object, // the few words that are needed here
  },
  emits: ["sync", "older", "read", "ended", "act"],
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
      onClick: this.onClick,
      onKeydown: this.onKeydown,
    });
    if (!this.stick) return list;
    return Vue.h("div", { class: "feed-frame" }, [
      list,
      Vue.h("button", { ref: "pill", type: "button", class: "pill", hidden: true, onClick: this.toEnd }),
    ]);
  },
  mounted() {
    // State lives outside Vue on purpose: nothing here may cause a rendering.
    this.nodes = new Map();
    this.asked = [];
    const [page] = performance.getEntriesByType("navigation"); // loading may have taken long since
    this.offset = this.now - performance.timeOrigin - page.responseStart;
    this.seen = { ...this.read };
    this.missed = 0;
    this.hasMore = this.more;
    this.title = document.title;
    const locale = navigator.languages.find((tag) => tag.split("-")[0] === this.language) || this.language;
    this.clockFormat = new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit" });
    this.dayFormat = new Intl.DateTimeFormat(locale, { weekday: "long", day: "numeric", month: "long" });
    this.fullFormat = new Intl.DateTimeFormat(locale, { dateStyle: "long", timeStyle: "medium" });
    this.sinceFormat = new Intl.RelativeTimeFormat(this.language, { numeric: "auto", style: "short" });
    this.nearFormat = new Intl.RelativeTimeFormat(this.language, { numeric: "auto" });
    this.atEnd = !this.stick; // where the reader begins is decided below
    this.rows = this.$el.drawn;
    this.putAll(this.rows);
    if (this.stick) this.toStart();
    this.rows = this.$el.drawn = undefined;
    this.onPacket = (packet) => packet.channel === this.channel && this.receive(packet);
    this.onVisible = () => document.hidden || (this.tick(), this.tellRead());
    this.resized = new ResizeObserver(() => this.stick && this.atEnd && this.toEnd());
    this.resized.observe(this.$refs.list);
    this.whenSocket(() => window.socket.on("feed", this.onPacket));
    document.addEventListener("visibilitychange", this.onVisible);
    window.addEventListener("pagehide", this.tellLast);
    this.tick();
  },
  unmounted() {
    clearTimeout(this.timer);
    clearTimeout(this.readTimer);
    this.watcher?.disconnect();
    window.socket?.off("feed", this.onPacket);
    document.removeEventListener("visibilitychange", this.onVisible);
    window.removeEventListener("pagehide", this.tellLast);
    this.resized.disconnect();
  },
  methods: {
    // What the server says
    receive(packet) {
      const news = packet.news || [];
      if (news.some(({ gone }) => gone)) return this.beForgotten();
      if (news.some(({ left }) => left && left === this.current)) return window.location.assign("/");
      if (packet.put) this.putAll(packet.put);
      if (packet.drop) packet.drop.forEach((key) => this.fade(key));
      packet.put?.forEach(([key]) => this.nodes.has(key) && this.fresher?.add(key));
      packet.drop?.forEach((key) => this.fresher?.add(key));
      for (const { read } of news) if (read) this.markRead(read);
      if (news.some(({ recount }) => recount)) this.sync();
      if (news.some(({ ended }) => ended)) this.$emit("ended", {});
    },
    beForgotten() {
      sessionStorage.clear();
      fetch("/session", { method: "DELETE" }).finally(() => window.location.replace("/login"));
    },
    sync() {
      if (this.nodes.size > KEYS_MOST) return window.location.reload(); // too many to ask about
      this.asked = [...this.nodes.keys()];
      this.question = (this.question || 0) + 1;
      this.fresher = new Set(); // rows that were heard of since: their news is newer than the answer
      this.$emit("sync", { question: this.question, keys: this.asked, more: !!this.hasMore });
      this.loading = false; // what was asked of a lost connection is not answered
      clearTimeout(this.readTimer);
      this.readTimer = null;
      this.told = 0; // what was told to a lost connection was told to nobody
      this.tellRead();
    },
    catchUp({ question, put, keep, more, read, now }) {
      if (question !== this.question) return; // the answer to the last question knows more
      this.offset = now - Date.now();
      const fresher = this.fresher || new Set();
      const kept = new Set([...keep, ...put.map(([key]) => key), ...fresher]);
      this.remove(...this.asked.filter((key) => !kept.has(key)));
      this.asked = [];
      this.fresher = undefined;
      if (more !== null) this.hasMore = more;
      this.putAll(put.filter(([key]) => !fresher.has(key)));
      this.markRead(read);
      for (const node of this.nodes.values()) this.age(node);
    },
    append(rows, more) {
      const list = this.$refs.list;
      const before = list.scrollHeight - list.scrollTop;
      this.hasMore = more;
      this.loading = false;
      rows.forEach((row) => this.place(row));
      this.arrange();
      if (this.stick) list.scrollTop = list.scrollHeight - before;
      this.watchEnd();
      this.watchStart();
    },

    // Rows
    putAll(rows) {
      const wasAtEnd = this.atEnd !== false;
      let fresh = 0;
      for (const row of rows) if (this.place(row) && this.isForeign(row[0])) fresh += 1;
      this.arrange();
      this.showUnread();
      this.watchEnd();
      if (!this.stick) return;
      if (wasAtEnd) this.toEnd();
      else this.missed += fresh;
      this.trim();
      this.showPill();
      this.tellRead();
      this.watchStart();
    },
    place([key, order, html]) {
      const template = document.createElement("template");
      template.innerHTML = html;
      const node = template.content.firstElementChild;
      node.dataset.key = key;
      if (key === this.current) node.setAttribute("aria-current", "page");
      this.localise(node);
      this.age(node);
      if (this.left(node) <= 0) return false;
      const known = this.nodes.get(key);
      if (order === null && !known) return false; // news of a row that is not shown here
      node.order = order ?? known.order;
      if (node.dataset.dedup) this.settle(node.dataset.dedup);
      const focused = known && [known, ...known.querySelectorAll(TARGETS)].indexOf(document.activeElement);
      const refocus = () => focused >= 0 && [node, ...node.querySelectorAll(TARGETS)][focused]?.focus({ preventScroll: true });
      if (known?.order === node.order) {
        this.nodes.set(key, node);
        known.replaceWith(node);
        [node.day, node.fresh] = [known.day, known.fresh];
        refocus();
        return false;
      }
      if (known) this.remove(key);
      this.nodes.set(key, node);
      const rows = this.ordered();
      let index = rows.length;
      while (index > 0 && compare(rows[index - 1].order, node.order) > 0) index -= 1;
      if (index < rows.length) rows[index].before(node);
      else if (rows.length) rows[rows.length - 1].after(node);
      else this.$refs.list.prepend(node);
      refocus();
      return !known;
    },
    ordered() {
      return [...this.$refs.list.children].filter((node) => node.dataset.key !== undefined);
    },
    fade(key) {
      const node = this.nodes.get(key);
      if (!node || node.classList.contains("going")) return;
      node.classList.add("going");
      setTimeout(() => this.nodes.get(key) === node && this.remove(key), FADE);
    },
    remove(...keys) {
      for (const key of keys) {
        const node = this.nodes.get(key);
        if (!node) continue;
        this.part(node, "day", "");
        this.part(node, "fresh", "");
        node.remove();
        this.nodes.delete(key);
      }
      this.arrange();
    },
    trim() {
      const rows = this.ordered();
      if (!this.cap || rows.length <= this.cap || !this.atEnd) return;
      this.hasMore = true;
      this.remove(...rows.slice(0, rows.length - this.cap).map((node) => node.dataset.key));
    },
    arrange() {
      // Headings follow from neighbours: which row opens a group, where a day or the unread begins.
      if (!this.days) return;
      let previous = null;
      for (const node of this.ordered()) {
        const day = this.dayOf(node);
        const newDay = !previous || this.dayOf(previous) !== day;
        const unread = node.dataset.key === this.fresh;
        this.part(node, "fresh", unread ? this.texts.fresh : "");
        this.part(node, "day", newDay ? this.nameDay(node) : "");
        const follows = previous && previous.dataset.group === node.dataset.group;
        const soonAfter = previous && node.dataset.from - previous.dataset.from < TOGETHER;
        node.classList.toggle("first", newDay || unread || !follows || !soonAfter);
        previous = node;
      }
    },
    findFresh() {
      // Where the unread began when the list was opened; what comes later is seen as it comes.
      const read = this.read?.[""];
      const fresh = this.rows.find(([key]) => key > read && this.isForeign(key));
      return fresh?.[0];
    },
    part(node, kind, text) {
      // A line that may stay is left alone: whoever listens to the list hears only what is new.
      const next = kind === "day" ? node.fresh || node : node;
      if (!text) {
        node[kind]?.remove();
        node[kind] = null;
      } else if (node[kind]?.textContent !== text || node[kind].nextElementSibling !== next) {
        node[kind]?.remove();
        node[kind] = document.createElement("div");
        node[kind].className = `divider ${kind}`;
        node[kind].textContent = text;
        next.before(node[kind]);
      }
    },

    // Time
    localise(node) {
      for (const time of node.querySelectorAll("time")) {
        const moment = new Date(time.dateTime);
        time.textContent = this.clockFormat.format(moment);
        time.title = this.fullFormat.format(moment);
      }
      this.count(node);
    },
    left(node) {
      return (node.dataset.until || Infinity) - Date.now() - this.offset;
    },
    age(node) {
      // In steps of a hundredth: an animation of hours would keep the processor awake for as long.
      if (!node.dataset.from) return;
      const share = Math.ceil((100 * this.left(node)) / (node.dataset.until - node.dataset.from)) / 100;
      if (node.share === share) return;
      node.share = share;
      node.style.setProperty("--share", Math.min(1, Math.max(0, share)));
    },
    count(node) {
      for (const label of node.querySelectorAll("[data-left]")) {
        const left = label.dataset.left - Date.now() - this.offset;
        const text = (label.dataset.say || "{}").replace("{}", this.formatLeft(Math.max(0, left)));
        if (label.textContent !== text) label.textContent = text;
        (label.closest("[data-until]") || label).classList.toggle("soon", left < SOON);
      }
      for (const label of node.querySelectorAll("[data-since]")) {
        const since = Math.max(0, Date.now() + this.offset - label.dataset.since);
        const text = label.dataset.say.replace("{}", this.formatSince(since));
        if (label.textContent !== text) label.textContent = text;
      }
    },
    formatSince(milliseconds) {
      const [unit, size] = UNITS.find(([, size]) => milliseconds >= size * 1000) || ["minute", 60];
      return this.sinceFormat.format(-Math.floor(milliseconds / 1000 / size), unit);
    },
    formatLeft(milliseconds) {
      const seconds = Math.ceil(milliseconds / 1000);
      if (seconds <= 60) return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
      const minutes = Math.ceil(seconds / 60); // never more than is left, but for the minute begun
      const [unit, size] = UNITS.find(([, , from]) => minutes * 60 >= from);
      const format = new Intl.NumberFormat(this.language, { style: "unit", unit, unitDisplay: "short" });
      return format.format(Math.floor((minutes * 60) / size));
    },
    tick() {
      clearTimeout(this.timer);
      let pause = TICK;
      for (const [key, node] of this.nodes) {
        const left = this.left(node) - FADE; // what begins to fade in time is gone in time
        if (left <= 0) this.fade(key);
        else if (left < pause) pause = left;
        this.age(node);
        this.count(node);
      }
      this.timer = setTimeout(() => this.tick(), pause);
    },
    dayOf(node) {
      return new Date(Number(node.dataset.from)).toDateString();
    },
    nameDay(node) {
      const day = new Date(Number(node.dataset.from));
      const away = Math.round((new Date(day.toDateString()) - new Date(new Date().toDateString())) / 86_400_000);
      const name = away > -2 ? this.nearFormat.format(away, "day") : this.dayFormat.format(day);
      return name.charAt(0).toLocaleUpperCase(this.language) + name.slice(1);
    },

    // Where the reader is
    onScroll() {
      const list = this.$refs.list;
      if (!this.stick) return;
      this.atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR;
      if (this.atEnd) this.missed = 0;
      this.showPill();
      this.tellRead();
      this.watchStart();
    },
    watchStart() {
      // A page that does not fill the screen cannot be scrolled: it asks by itself.
      if (this.stick && this.$refs.list.scrollTop < 4 * NEAR) this.askForMore();
    },
    watchEnd() {
      if (this.stick) return;
      this.watcher ??= new IntersectionObserver(
        (entries) => entries.some((entry) => entry.isIntersecting) && this.askForMore(),
        { rootMargin: `${8 * NEAR}px` },
      );
      this.watcher.disconnect();
      const last = this.$refs.list.lastElementChild;
      if (this.hasMore && last) this.watcher.observe(last);
    },
    askForMore() {
      if (this.loading || !this.hasMore) return;
      this.loading = true;
      this.$emit("older", { first: Number(this.ordered()[0]?.dataset.key) || 0 });
    },
    toStart() {
      this.missed = 0;
      this.fresh = this.findFresh();
      this.arrange();
      const fresh = this.$refs.list.querySelector(".divider.fresh");
      if (fresh) fresh.scrollIntoView({ block: "start" });
      else this.toEnd();
      this.onScroll();
    },
    toEnd() {
      const list = this.$refs.list;
      list.scrollTop = list.scrollHeight;
      this.atEnd = true;
      this.missed = 0;
      this.showPill();
    },
    showPill() {
      const pill = this.$refs.pill;
      if (!pill) return;
      pill.hidden = !this.missed;
      pill.textContent = this.texts.pill;
    },
    isForeign(key) {
      return this.nodes.get(key)?.dataset.group !== this.me;
    },
    tellRead() {
      if (!this.stick || document.hidden || this.atEnd === false) return this.showTitle();
      this.showTitle();
      if (this.readTimer) return;
      const last = Math.max(0, ...[...this.nodes.keys()].map(Number));
      if (last <= (this.told || 0)) return;
      this.told = last;
      this.$emit("read", { seq: last });
      this.readTimer = setTimeout(() => {
        this.readTimer = null;
        this.tellRead();
      }, 1000);
    },
    tellLast() {
      clearTimeout(this.readTimer);
      this.readTimer = null;
      this.tellRead();
    },
    showTitle() {
      if (!this.stick) return;
      const last = Math.max(0, ...[...this.nodes.keys()].map(Number));
      if (!document.hidden) this.titleSeen = last;
      const unseen = [...this.nodes.keys()].filter((key) => Number(key) > (this.titleSeen ?? last)).length;
      document.title = unseen ? `(${unseen}) ${this.title}` : this.title;
    },

    // What is unread in other rooms: the row says what there is, the viewer's mark what is known
    markRead(marks) {
      for (const [key, seq] of Object.entries(marks)) this.seen[key] = Math.max(this.seen[key] || 0, seq);
      this.showUnread();
    },
    showUnread() {
      for (const [key, node] of this.nodes) {
        const label = node.querySelector("[data-unread]");
        if (!label) continue;
        const count = node.dataset.last - Math.max(this.seen[key] || 0, node.dataset.first - 1);
        label.hidden = count <= 0;
        label.firstChild.textContent = count > 99 ? "99+" : count;
      }
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
    onClick(event) {
      const target = event.target.closest("[data-act]");
      if (!target) return;
      event.preventDefault();
      this.$emit("act", { act: target.dataset.act, key: target.closest("[data-key]").dataset.key });
    },
    onKeydown(event) {
      if (!this.stick || !["ArrowUp", "ArrowDown"].includes(event.key)) return;
      const rows = this.ordered();
      const at = rows.indexOf(document.activeElement);
      const next = event.key === "ArrowUp" ? (at < 0 ? rows.length : at) - 1 : at + 1;
      if (!rows[next]) return;
      rows[next].focus();
      event.preventDefault();
    },
    whenSocket(act) {
      if (window.socket) act();
      else setTimeout(() => this.whenSocket(act), 20);
    },
  },
};

function compare(a, b) {
  return a < b ? -1 : a > b ? 1 : 0;
}
