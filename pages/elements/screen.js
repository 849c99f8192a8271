// The content of a page: HTML drawn by the server with live elements in it, and the clicks that need
// no server.

const YEAR = 31_536_000; // seconds
const COPIED_SHOWN = 3_000; // ms
const COMPOSING = 229; // keyCode in Safari of the Enter key that confirms an IME composition

export default {
  emits: ["call"],
  render() {
    return Vue.h(
      "div",
      {
        onVnodeBeforeMount: ({ el }) => this.insertHtml(el),
        onClick: this.onClick,
        onSubmit: this.onSubmit,
        onKeydown: this.onKeydown,
      },
      this.$slots.default?.(),
    );
  },
  mounted() {
    this.watchPanels();
  },
  unmounted() {
    this.resizeObserver.disconnect();
  },
  methods: {
    insertHtml(screen) {
      // Before the first rendering: replaces the placeholders by the live elements.
      const drawn = document.getElementById(`drawn-${this.$attrs.id}`);
      screen.prepend(drawn.content);
      drawn.remove();
      for (const placeholder of screen.querySelectorAll("[data-part]")) {
        const element = screen.querySelector(`#${placeholder.dataset.part}`);
        element.drawn = JSON.parse(placeholder.textContent);
        placeholder.replaceWith(element);
      }
    },
    onClick(event) {
      const button = event.target.closest("button");
      const { calls, opens, closes, turns, copies, remembers, signsOut } = button?.dataset ?? {};
      if (calls !== undefined) this.$emit("call", { name: calls, fields: {} });
      if (opens !== undefined) this.open(opens);
      if (closes !== undefined) button.closest("dialog").close();
      if (turns !== undefined) this.toggle(turns);
      if (copies !== undefined) this.copy(copies, button);
      if (remembers !== undefined) this.remember(remembers);
      if (signsOut !== undefined) this.signOut(button.closest("dialog"));
    },
    onSubmit(event) {
      const form = event.target;
      if (form.dataset.calls === undefined) return;
      event.preventDefault();
      if (form.ariaBusy) return; // showAlert ends it
      form.ariaBusy = "true";
      for (const alert of form.querySelectorAll("[data-says]")) this.showAlert(alert.dataset.says, "");
      this.$emit("call", { name: form.dataset.calls, fields: Object.fromEntries(new FormData(form)) });
    },
    onKeydown(event) {
      const isComposing = event.isComposing || event.keyCode === COMPOSING;
      if (event.key === "Enter" && isComposing) event.preventDefault(); // it would submit the form
      const panel = event.key === "Escape" && event.target.closest("[data-turned]");
      if (panel) this.toggle(panel.id);
    },

    // Actions of buttons
    open(id) {
      const dialog = document.getElementById(id);
      for (const box of dialog.querySelectorAll("[data-address]")) {
        box.value = window.location.origin + window.location.pathname;
      }
      dialog.showModal();
    },
    watchPanels() {
      // A panel can also be shown or hidden by the width of the window.
      this.resizeObserver = new ResizeObserver((entries) => {
        for (const { target, borderBoxSize } of entries) {
          this.opener(target)?.setAttribute("aria-expanded", borderBoxSize[0].inlineSize > 0);
        }
      });
      for (const panel of this.$el.querySelectorAll("[data-turned]")) this.resizeObserver.observe(panel);
    },
    opener(panel) {
      return [...this.$el.querySelectorAll(`[data-turns="${panel.id}"]`)].find((button) => !panel.contains(button));
    },
    toggle(id) {
      // On a phone the panel covers the page, so the focus moves into it and back.
      const panel = document.getElementById(id);
      const closer = panel.querySelector(`[data-turns="${id}"]`);
      panel.classList.toggle("turned");
      if (closer.checkVisibility()) closer.focus();
      else this.opener(panel).focus();
    },
    async copy(id, button) {
      const box = document.getElementById(id);
      box.select();
      // Plain HTTP has no `clipboard`, and a browser may refuse it: then the selection is copied.
      const isCopied = await navigator.clipboard?.writeText(box.value).then(() => true, () => false);
      if (!isCopied && !document.execCommand("copy")) return;
      button.dataset.label ??= button.textContent;
      button.textContent = button.dataset.copied;
      clearTimeout(this.copyTimer);
      this.copyTimer = setTimeout(() => (button.textContent = button.dataset.label), COPIED_SHOWN);
    },
    remember(preference) {
      const age = preference.endsWith("=") ? 0 : YEAR;
      const path = new URL(document.baseURI).pathname;
      document.cookie = `${preference}; path=${path}; max-age=${age}; samesite=lax`;
      window.location.reload();
    },
    async signOut(dialog) {
      const failed = dialog.querySelector("[data-failed]");
      failed.textContent = "";
      // The server may redirect this page before it responds: `keepalive` lets the request finish.
      const forget = () => sessionStorage.clear();
      window.addEventListener("pagehide", forget);
      const request = fetch("session", { method: "DELETE", keepalive: true });
      if (await request.then((response) => response.ok, () => false)) {
        window.location.replace("login");
      } else {
        window.removeEventListener("pagehide", forget);
        failed.textContent = failed.dataset.failed;
      }
    },

    // Messages of the server
    showAlert(name, text) {
      const alert = this.$el.querySelector(`[data-says="${name}"]`);
      alert.textContent = text;
      if (text) alert.closest("form")?.removeAttribute("aria-busy");
      for (const field of this.fields(name)) field.ariaInvalid = String(text !== "");
    },
    reject(name, reason) {
      this.showAlert(name, reason);
      this.fields(name)[0]?.focus();
    },
    fail(name, reason) {
      const form = this.$el.querySelector(`[data-calls="${name}"]`).closest("form");
      const alert = this.$el.querySelector(`[data-says="${name}"]`) ?? form.querySelector("[data-says]");
      this.reject(alert.dataset.says, reason);
    },
    replace(id, html) {
      document.getElementById(id).outerHTML = html;
      for (const box of this.$el.querySelectorAll("[data-stored]")) {
        box.value = sessionStorage.getItem(box.dataset.stored) ?? "";
        box.parentElement.hidden = !box.value;
      }
    },
    fields(name) {
      return this.$el.querySelectorAll(`[aria-describedby="alert-${name}"]`);
    },
  },
};
