// The message composer. The draft and the unanswered messages are stored in this tab only.

import { findCommands, isCommand, isSlashed, unescapeSlash } from "commands";
import { COMPOSE } from "compose";
import { Consent } from "consent";
import { drawDoubts } from "doubts";
import { endsCode, listChoices, readCode, replaceCode } from "emoji_codes";
import { loadEmoji } from "emoji_data";
import { findEmoji } from "emoji_search";
import { Hush } from "hush";
import { findMembers, listMembers } from "mentions";
import { openPath } from "navigation";
import { Note } from "note";
import { ButtonMenu } from "popup_menu";
import { dismissReason, showReason } from "reason";
import { whenSocket } from "socket";
import { describeTyping, TypingSignal } from "typing";

const ROW_TIMEOUT = 3_000; // ms after which an acknowledged pending row is removed in any case
const RUNNING_DELAY = 300; // ms after which a command that is not answered yet is shown
const COMPOSING = 229; // keyCode in Safari of the Enter key that confirms an IME composition
const TEXT_BYTES_MAX = 60_000; // a socket frame holds 65,536
const ONCE = "once";
const ONCE_SECONDS = 86_400; // for which a message can be opened at most

export default {
  props: {
    feed: Number, // id of the list that shows pending messages
    storage_key: String, // of the room and the author: other visitors of this tab must not see the draft
    placeholder: String,
    label: String,
    send_label: String,
    resend_within: Number, // age in ms up to which an unanswered message is sent again
    lifetimes: Array, // those that a message may have instead: pairs of seconds and a text
    late: String,
    commands: Array, // those that the member may use, by name: name, usage, help
    emoji: Object, // where the emoji are, and the texts of their dialog
    texts: Object, // translated texts
    too_long: String,
    standing: Object, // the role of the reader, and until when they are muted (see hush.js)
    paused: Boolean, // only those who keep order may write
  },
  emits: ["post", "answer", "typing"],
  data() {
    return {
      changed: {}, // what the owner has changed since the page was drawn
      options: [], // commands that begin with what is typed, members or emoji
      optionsLabel: "",
      active: 0, // index of the one that Tab and Enter complete
      target: null, // the message that is edited or answered (see compose.js)
      hush: "", // why the reader cannot write just now
      running: [], // commands that are not answered yet
      lifetime: "", // of the next messages, in seconds, or `ONCE`; empty is that of the room
      typing: {}, // who else is typing: a text, and names for its places
    };
  },
  render() {
    const listId = `${this.$attrs.id}-options`;
    const isOpen = this.options.length > 0;
    return Vue.h("form", { class: "composer", onSubmit: this.onSubmit }, [
      Vue.h("div", { ref: "note", "aria-live": "polite" }),
      Vue.h("div", { ref: "consent", "aria-live": "polite" }),
      Vue.h("ul", { class: "running" }, this.running.map((text) => Vue.h("li", [
        Vue.h("i", { class: "icon icon-clock", "aria-hidden": "true" }),
        Vue.h("span", { dir: "auto" }, text),
      ]))),
      Vue.h("div", { ref: "alert", role: "alert", class: "alert" }),
      Vue.h("div", { "aria-live": "polite" }, this.hush && [Vue.h("p", { class: "hush" }, this.hush)]),
      Vue.h("div", { "aria-live": "polite" }, this.target && [this.renderTarget()]),
      Vue.h("div", { class: "field" }, [
        Vue.h(
          "ul",
          { ref: "list", id: listId, role: "listbox", class: "options", "aria-label": this.optionsLabel || this.texts.commands, hidden: !isOpen },
          this.options.map((option, index) => Vue.h("li", {
            id: `${listId}-${index}`,
            role: "option",
            "aria-selected": String(index === this.active),
            onMousedown: (event) => event.preventDefault(), // the box keeps the focus
            onClick: () => this.choose(option),
          }, [
            Vue.h("b", { dir: "auto" }, [option.sign && Vue.h("span", { class: "emoji" }, option.sign), option.title]),
            Vue.h("small", option.help),
          ])),
        ),
        Vue.h("textarea", {
          ref: "box",
          id: `${this.$attrs.id}-box`, // as in the first paint
          rows: 1,
          placeholder: this.describeBox(),
          "aria-label": this.label,
          enterkeyhint: hasTouchKeyboard() ? "enter" : "send",
          autocomplete: "off",
          // A text box is no combobox: it may have no aria-expanded. The active option tells of the list.
          "aria-autocomplete": "list",
          "aria-haspopup": "listbox",
          "aria-controls": listId,
          "aria-activedescendant": isOpen ? `${listId}-${this.active}` : undefined,
          onInput: this.onInput,
          onKeydown: this.onKeydown,
          onBlur: this.closeList,
        }),
        this.isEditing() || this.renderLifetime(),
        Vue.h("button", {
          ref: "emoji",
          type: "button",
          class: "button icon-only quiet icon-smile",
          "aria-label": this.emoji.texts.label,
          title: this.emoji.texts.label,
          "aria-haspopup": "dialog",
          onClick: this.onEmoji,
        }),
        Vue.h("button", { class: "button icon-only", type: "submit", "aria-label": this.send_label }, [
          Vue.h("i", { class: "icon icon-send", "aria-hidden": "true" }),
        ]),
      ]),
      Vue.h("div", { "aria-live": "polite" }, this.typing.text && [this.renderTyping()]),
    ]);
  },
  mounted() {
    this.unanswered = new Map(JSON.parse(sessionStorage.getItem(this.key("waiting")) || "[]"));
    this.doubts = []; // texts that are sent if the reader confirms them
    this.lifetime = sessionStorage.getItem(this.key("lifetime")) || "";
    this.lifetimeMenu = new ButtonMenu();
    this.typingSignal = new TypingSignal(() => this.$emit("typing"));
    this.consent = new Consent(this.$refs.consent, {
      me: this.storage_key.split(":")[1],
      texts: this.texts.consent,
      answer: (id, agrees) => this.$emit("answer", { id, agrees }),
    });
    this.note = new Note(this.$refs.note, { label: this.texts.close, onClose: () => this.$refs.box.focus() });
    this.ownStanding = new Hush(this.standing, () => this.showHush());
    this.$nextTick(this.showHush);
    this.showTold();
    this.$refs.box.value = sessionStorage.getItem(this.key("draft")) || "";
    // Lines break elsewhere if the width changes; in the next frame, because this changes the size again.
    this.resizeObserver = new ResizeObserver(() => requestAnimationFrame(this.resize));
    this.resizeObserver.observe(this.$el);
    this.$nextTick(() => this.unanswered.forEach(({ text }, dedup) => this.showPending(dedup, text)));
    this.showRunning();
    this.onViewport = () => {
      // A phone's keyboard covers the page instead of resizing it: reduce the height of the page.
      const { height, scale } = window.visualViewport;
      document.documentElement.style.setProperty("--screen", `${height * scale}px`);
      if (scale === 1) window.scrollTo(0, 0); // a zoomed page is scrolled by its reader
    };
    window.visualViewport?.addEventListener("resize", this.onViewport);
    document.addEventListener("keydown", this.onTyping);
    document.addEventListener("keydown", this.onEscape);
    document.addEventListener(COMPOSE, this.onCompose);
    this.onPacket = ({ news = [] }) => news.forEach(this.receive);
    whenSocket((socket) => socket.on("feed", this.onPacket));
    if (window.matchMedia("(hover: hover)").matches) this.$refs.box.focus();
  },
  unmounted() {
    this.resizeObserver.disconnect();
    this.lifetimeMenu.close();
    this.consent.clear();
    document.removeEventListener("keydown", this.onTyping);
    document.removeEventListener("keydown", this.onEscape);
    document.removeEventListener(COMPOSE, this.onCompose);
    clearTimeout(this.runningTimer);
    this.ownStanding.clear();
    this.emojiDialog?.close();
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
    onEscape({ key, target, isComposing, defaultPrevented }) {
      if (key !== "Escape" || isComposing || defaultPrevented || target.closest("dialog, [role=menu]")) return;
      if (this.doubts.length) this.edit();
      else if (this.target) this.leaveTarget();
      else if (this.note.isOpen) this.note.close();
      else if (target === this.$refs.box || target === document.body) this.list()?.scrollToEnd();
      else return;
      this.$refs.box.focus();
    },
    onKeydown(event) {
      const isComposing = event.isComposing || event.keyCode === COMPOSING;
      if (this.options.length && !isComposing && this.onListKey(event)) return event.preventDefault();
      if (event.key === "ArrowUp" && this.canEditLast(event)) {
        event.preventDefault();
        return this.list()?.editLast();
      }
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
      this.closeList();
      if (!text) return this.$refs.box.focus();
      if (countBytes(text) > TEXT_BYTES_MAX) {
        return this.showAlert(this.too_long.replace("{}", countCharacters(text)));
      }
      if (this.isEditing()) return this.submitEdit(text);
      // A rejected message may be stored after all: if unchanged, it keeps its id.
      const dedup = this.rejected?.text === text ? this.rejected.dedup : newId();
      this.rejected = undefined;
      this.note.close();
      const reply = this.target;
      this.target = null;
      this.setText("");
      this.showAlert("");
      this.send(dedup, { text, reply, lifetime: this.chosenLifetime()[0] });
      this.$refs.box.focus();
    },
    // `reply` is what is answered, `seq` the message that is edited.
    send(dedup, { text, confirmed, reply, seq, lifetime }) {
      this.unanswered.set(dedup, { text, since: Date.now(), confirmed, reply, seq, lifetime });
      this.saveUnanswered();
      if (!seq) this.showPending(dedup, text);
      // A disconnected socket would buffer it and send it even after it went back into the box.
      if (window.socket?.connected) this.emitPost(dedup);
    },
    emitPost(dedup) {
      const { text, confirmed, reply, seq, lifetime } = this.unanswered.get(dedup);
      this.$emit("post", { text, dedup, confirmed, reply_to: reply?.id, seq, lifetime });
    },
    showPending(dedup, text) {
      // What a command will post is not known: a row with its text would vanish again.
      if (!isCommand(text)) this.list()?.addPending(dedup, unescapeSlash(text));
    },
    onInput({ inputType }) {
      this.onChange();
      this.signalTyping();
      const { value, selectionStart: caret } = this.$refs.box;
      const commands = this.isEditing() ? [] : findCommands(this.commands, value);
      if (commands.length) return this.offer(this.texts.commands, commands);
      this.offer(this.texts.members, findMembers(listMembers(), value, caret));
      if (!this.options.length && !inputType?.startsWith("delete")) this.completeEmoji(value, caret);
    },
    offer(label, options) {
      this.optionsLabel = label;
      this.options = options;
      this.active = 0;
    },
    onChange() {
      dismissReason(this.$refs.alert);
      this.doubts = []; // another text may give rise to others
      this.resize();
      // What is edited is stored already.
      if (!this.isEditing()) sessionStorage.setItem(this.key("draft"), this.$refs.box.value);
    },

    // How long messages are kept
    renderLifetime() {
      const [value, text] = this.chosenLifetime();
      const chosen = value === ONCE ? this.texts.chosen_once : this.texts.chosen_lifetime.replace("{}", text);
      const label = value ? chosen : this.texts.lifetime;
      return Vue.h("button", {
        type: "button",
        class: ["button quiet lifetime", { "icon-only": !value }],
        "aria-label": label,
        title: label,
        "aria-haspopup": "menu",
        "aria-expanded": "false",
        onClick: ({ currentTarget }) => this.chooseLifetime(currentTarget),
      }, [Vue.h("i", { class: "icon icon-clock", "aria-hidden": "true" }), value && Vue.h("span", text)]);
    },
    listLifetimes() {
      const lifetimes = this.changed.lifetimes ?? this.lifetimes;
      const own = lifetimes.map(([seconds, text]) => [String(seconds), text]);
      return [["", this.texts.as_room], ...own, [ONCE, this.texts.once]];
    },
    // The owner may have changed which ones there are.
    chosenLifetime() {
      const choices = this.listLifetimes();
      return choices.find(([value]) => value === this.lifetime) ?? choices[0];
    },
    chooseLifetime(button) {
      const [chosen] = this.chosenLifetime();
      const choose = (value) => {
        this.lifetime = value;
        sessionStorage.setItem(this.key("lifetime"), value);
      };
      const items = this.listLifetimes().map(([value, text]) => [
        text,
        () => choose(value),
        { role: "menuitemradio", isChecked: value === chosen },
      ]);
      this.lifetimeMenu.toggle(button, this.texts.lifetime, items);
    },
    describeBox() {
      const [value, text] = this.chosenLifetime();
      if (value === ONCE) return this.texts.opened_once;
      if (value) return this.texts.gone_in.replace("{}", text);
      return this.changed.placeholder ?? this.placeholder;
    },

    // Who is typing
    signalTyping() {
      const text = this.$refs.box.value.trim();
      if (text && !isSlashed(text) && !this.isEditing() && window.socket?.connected) this.typingSignal.give();
    },
    showTyping(typing) {
      const [room, me] = this.storage_key.split(":");
      if (typing.room === room) this.typing = describeTyping(typing, me, this.texts);
    },
    renderTyping() {
      const { text, names } = this.typing;
      const parts = text.split("{}").flatMap((part, index) => (index ? [Vue.h("bdi", names[index - 1]), part] : [part]));
      return Vue.h("p", { class: "typing", role: "status" }, parts);
    },

    // What is edited or answered
    renderTarget() {
      const isEditing = this.isEditing();
      const cancel = isEditing ? this.texts.cancel_edit : this.texts.cancel_reply;
      const [before, after] = this.texts.replying.split("{}");
      const text = isEditing ? [this.texts.editing] : [before, Vue.h("bdi", this.target.name), after];
      return Vue.h("div", { class: "target" }, [
        Vue.h("span", text),
        Vue.h("button", {
          type: "button",
          class: "button icon-only quiet icon-close",
          "aria-label": cancel,
          title: cancel,
          onClick: () => this.leaveTarget(),
        }),
      ]);
    },
    isEditing() {
      return this.target?.kind === "edit";
    },
    onCompose({ detail }) {
      this.compose(detail);
    },
    compose(target) {
      if (this.isEditing()) this.leaveTarget();
      if (target.kind === "edit") {
        this.aside = this.$refs.box.value; // goes back into the box afterwards
        this.target = target;
        this.setText(target.text);
      } else this.target = target;
      this.showAlert("");
      const { box } = this.$refs;
      box.focus();
      box.setSelectionRange(box.value.length, box.value.length);
    },
    // Cancels it, or ends it after an edit was accepted.
    leaveTarget() {
      const wasEditing = this.isEditing();
      this.target = null;
      if (this.edited) this.forget(this.edited);
      this.setEdited(undefined);
      if (wasEditing) this.setText(this.aside);
      this.showAlert("");
      this.$refs.box.focus();
    },
    canEditLast({ shiftKey, ctrlKey, metaKey, altKey }) {
      return !(shiftKey || ctrlKey || metaKey || altKey || this.target || this.$refs.box.value);
    },
    submitEdit(text) {
      if (this.edited) return; // it is not answered yet
      if (text === this.target.text) return this.leaveTarget();
      this.sendEdit(newId(), { text, seq: this.target.key });
    },
    // The text stays in the box until it is accepted.
    sendEdit(dedup, edit) {
      this.doubts = [];
      this.showAlert("");
      this.setEdited(dedup);
      this.send(dedup, edit);
    },
    setEdited(dedup) {
      this.edited = dedup;
      this.$refs.box.readOnly = dedup !== undefined;
    },
    // Goes on with an edit that was not accepted.
    resumeEdit(dedup, { text, seq }) {
      this.forget(dedup);
      if (this.edited !== dedup) this.compose({ kind: "edit", key: seq, text }); // the page was loaded again
      this.setEdited(undefined);
    },

    // The list of commands or members
    onListKey({ key, shiftKey, ctrlKey, metaKey, altKey }) {
      if (shiftKey || ctrlKey || metaKey || altKey) return false;
      const { length } = this.options;
      const option = this.options[this.active];
      if (key === "ArrowDown") this.activate((this.active + 1) % length);
      else if (key === "ArrowUp") this.activate((this.active - 1 + length) % length);
      else if (key === "Tab" || (key === "Enter" && !option.isTyped)) this.choose(option);
      else if (key === "Escape") this.closeList();
      else return false;
      return true;
    },
    activate(index) {
      this.active = index;
      this.$nextTick(() => this.$refs.list.children[index]?.scrollIntoView({ block: "nearest" }));
    },
    choose({ text, caret = text.length }) {
      this.setText(text);
      this.$refs.box.focus();
      this.$refs.box.setSelectionRange(caret, caret);
    },
    closeList() {
      this.options = [];
    },

    // Emoji
    async completeEmoji(text, caret) {
      const typed = readCode(text, caret);
      if (!typed && !endsCode(text, caret)) return;
      const all = await loadEmoji(this.emoji.url).catch(() => []);
      const { box } = this.$refs;
      if (!box || box.value !== text || box.selectionStart !== caret) return; // more was typed meanwhile
      if (typed) return this.offer(this.emoji.texts.label, listChoices(findEmoji(all, typed), text, caret));
      const replaced = replaceCode(all, text, caret);
      if (replaced) this.choose(replaced);
    },
    async onEmoji() {
      const place = this.$refs.emoji.getBoundingClientRect();
      const { EmojiDialog } = await import("emoji_dialog");
      if (!this.$refs.box) return; // the page was left meanwhile
      this.emojiDialog = new EmojiDialog(this.emoji, this.insert);
      this.emojiDialog.open(place);
    },
    insert(text) {
      const { box } = this.$refs;
      if (box.readOnly) return;
      box.setRangeText(text, box.selectionStart, box.selectionEnd, "end");
      this.onChange();
      box.focus();
    },

    // What the server says
    receive({ composer, told, typing, standing, transcript }) {
      if (typing) this.showTyping(typing);
      if (transcript) this.showQuestion(transcript);
      if (composer) this.change(composer);
      if (standing && this.storage_key.startsWith(`${standing.room}:`)) this.changeStanding(standing);
      if (told && this.storage_key.startsWith(`${told.room}:`)) this.tell(told.text);
    },
    showQuestion(question) {
      if (!question) return this.consent.clear();
      if (this.storage_key.startsWith(`${question.room}:`)) this.consent.update(question);
    },
    tell(text) {
      this.note.show(text);
    },
    // What another role may do is drawn by the server: the room is opened again, and says why.
    changeStanding(standing) {
      const { role, isMuted } = this.ownStanding;
      if (standing.role !== role) {
        sessionStorage.setItem(this.key("told"), this.texts[standing.role || "member"]);
        return openPath(window.location.href);
      }
      this.ownStanding.set(standing);
      this.showHush();
      if (isMuted && !this.ownStanding.isMuted) this.tell(this.texts.unmuted);
    },
    showHush() {
      this.hush = this.ownStanding.describe(this.changed.paused ?? this.paused, this.texts);
    },
    showTold() {
      const told = sessionStorage.getItem(this.key("told"));
      sessionStorage.removeItem(this.key("told"));
      if (told) this.tell(told);
    },
    change({ placeholder, resend_within, lifetimes, paused }) {
      // A message may have been posted, and have expired, while messages lived for a shorter time.
      const within = Math.min(resend_within, this.changed.resend_within ?? Infinity);
      this.changed = { placeholder, lifetimes, paused, resend_within: within };
      this.showHush();
    },
    resend() {
      const within = Math.min(this.resend_within, this.changed.resend_within ?? Infinity);
      this.unanswered.forEach(({ since, lifetime }, dedup) => {
        const own = lifetime === ONCE ? ONCE_SECONDS : Number(lifetime || Infinity);
        if (Date.now() - since < Math.min(within, own * 1_000)) this.emitPost(dedup);
        else this.reject(dedup, this.late);
      });
    },
    accept(dedup, told) {
      const { text, seq } = this.unanswered.get(dedup) || {};
      if (text === undefined) return; // it was sent and answered twice
      this.typingSignal.end();
      this.forget(dedup);
      if (seq) return this.edited === dedup && this.leaveTarget();
      if (told) return this.tell(told);
      if (isCommand(text)) return this.list()?.scrollToEnd(); // there is what it has posted
      // The stored row replaces the pending one, unless it expired before.
      setTimeout(() => this.list()?.removePending(dedup), ROW_TIMEOUT);
    },
    reject(dedup, reason, seconds) {
      const { text, reply, seq } = this.unanswered.get(dedup) || {};
      if (text === undefined) return;
      if (seq) {
        this.resumeEdit(dedup, { text, seq });
        return this.showAlert(reason, seconds);
      }
      this.takeBack(dedup);
      this.target ??= reply;
      const draft = this.$refs.box.value;
      this.setText(draft ? `${text}\n${draft}` : text);
      this.showAlert(reason, seconds);
      this.$refs.box.focus();
    },
    takeBack(dedup) {
      const { text } = this.unanswered.get(dedup);
      this.forget(dedup);
      this.rejected = { text, dedup };
      this.list()?.removePending(dedup);
    },
    ask(dedup, question, warnings) {
      const { text, reply, seq, lifetime } = this.unanswered.get(dedup) || {};
      if (text === undefined) return;
      if (seq) {
        this.resumeEdit(dedup, { text, seq });
        this.doubts = [{ text, dedup, warnings, seq }];
        return this.showDoubts(question);
      }
      this.takeBack(dedup);
      // Texts that were sent one after the other are asked about together, and sent as they were.
      const draft = this.doubts.length ? this.draft : this.$refs.box.value;
      const doubts = [...this.doubts, { text, dedup, warnings, reply, lifetime }];
      this.setText([...doubts.map((doubt) => doubt.text), draft].filter(Boolean).join("\n"));
      Object.assign(this, { doubts, draft });
      this.showDoubts(question);
    },
    showDoubts(question) {
      const { doubts } = this;
      const { send_anyway: send, edit } = this.texts;
      const all = [...new Set(doubts.flatMap((doubt) => doubt.warnings))];
      const box = drawDoubts({ question, warnings: all, send, edit, onSend: this.sendAnyway, onEdit: this.edit });
      this.showAlert("");
      this.$refs.alert.replaceChildren(box);
      this.$refs.box.focus();
    },
    sendAnyway() {
      const { doubts, draft } = this;
      this.rejected = undefined;
      this.note.close();
      if (this.isEditing()) return this.sendEdit(doubts[0].dedup, { ...doubts[0], confirmed: true });
      this.setText(draft);
      this.showAlert("");
      doubts.forEach(({ dedup, ...doubt }) => this.send(dedup, { ...doubt, confirmed: true }));
      this.$refs.box.focus();
    },
    edit() {
      this.doubts = [];
      this.showAlert("");
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
      this.onChange();
      this.closeList();
    },
    showAlert(reason, seconds) {
      showReason(this.$refs.alert, reason, seconds);
    },
    saveUnanswered() {
      sessionStorage.setItem(this.key("waiting"), JSON.stringify([...this.unanswered]));
      this.showRunning();
    },
    showRunning() {
      const running = [...this.unanswered.values()].map(({ text }) => text).filter(isCommand);
      this.running = this.running.filter((text) => running.includes(text));
      clearTimeout(this.runningTimer);
      this.runningTimer = setTimeout(() => (this.running = running), RUNNING_DELAY);
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
