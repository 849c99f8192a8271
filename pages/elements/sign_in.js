// The part of the login form that signs in: posts the form, and solves proof-of-work challenges.

import { solve } from "challenge";
import { showReason } from "reason";

const FORGOTTEN = "forgotten"; // set where the visitor was led away from
const ATTEMPT = "attempt"; // its key in the session storage: a reload continues a failed attempt
const COMPOSING = 229; // keyCode in Safari of the Enter key that confirms an IME composition

export default {
  props: {
    target: String, // path of the page to open
    challenge: String,
    bits: Number,
    working: String,
    forgotten: String,
    failed: String,
    no_cookie: String,
  },
  data: () => ({ solution: "", isSolving: false, isWanted: false, isPosting: false, note: "" }),
  computed: {
    isBusy() {
      return this.isPosting || (this.isSolving && this.isWanted);
    },
  },
  watch: {
    isBusy(isBusy) {
      this.form.querySelector("[type=submit]").setAttribute("aria-busy", isBusy);
    },
  },
  render() {
    return Vue.h("p", { role: "status", class: "hint" }, this.isSolving ? this.working : this.note);
  },
  mounted() {
    this.form = this.$el.closest("form");
    this.form.addEventListener("submit", this.onSubmit);
    this.form.addEventListener("keydown", this.onKeydown);
    localStorage.clear(); // what it remembers is of the visitor who was signed in
    if (sessionStorage.getItem(FORGOTTEN)) this.note = this.forgotten;
    sessionStorage.removeItem(FORGOTTEN);
    if (this.challenge) this.solve(this.challenge, this.bits);
  },
  unmounted() {
    this.cancel?.();
  },
  methods: {
    onKeydown(event) {
      const isComposing = event.isComposing || event.keyCode === COMPOSING;
      if (event.key === "Enter" && isComposing) event.preventDefault(); // it would submit the form
    },
    async onSubmit(event) {
      event.preventDefault();
      if (this.isSolving) return (this.isWanted = true);
      if (this.isPosting) return;
      this.isPosting = true;
      for (const field of this.form.querySelectorAll("[aria-invalid]")) this.accept(field);
      const refusal = await this.signIn().catch(() => ({ field: "nickname", reason: this.failed }));
      if (!refusal) return;
      this.isPosting = false;
      if (refusal.challenge) this.solve(refusal.challenge, refusal.bits, true);
      else this.refuse(refusal.field, refusal.reason, refusal.seconds);
    },
    // Returns why the sign-in was refused, or nothing if the page is being left.
    async signIn() {
      const fields = { ...Object.fromEntries(new FormData(this.form)), solution: this.solution };
      fields.attempt = sessionStorage[ATTEMPT] ??= fields.attempt;
      const response = await fetch("session", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(fields),
      });
      if (response.status === 200) return response.json();
      const failure = { field: "nickname", reason: this.failed };
      if (response.status !== 204) return failure;
      const check = await fetch("session").catch(() => null);
      if (check?.status === 401) return { ...failure, reason: this.no_cookie };
      sessionStorage.removeItem(ATTEMPT);
      window.location.replace(this.target);
    },
    // Solves a challenge, and then submits the form if that was or will be wanted.
    solve(challenge, bits, isWanted = false) {
      this.cancel?.();
      Object.assign(this, { solution: "", isSolving: true, isWanted });
      this.cancel = solve(challenge, bits, (solution) => {
        Object.assign(this, { solution, isSolving: false });
        if (this.isWanted) this.form.requestSubmit();
      });
    },
    fill(name, text) {
      const field = this.form.elements[name];
      field.value = text;
      this.accept(field);
    },
    refuse(name, reason, seconds) {
      const field = this.form.elements[name];
      showReason(alertOf(field), reason, seconds, () => this.accept(field));
      field.setAttribute("aria-invalid", "true");
      field.closest("details")?.setAttribute("open", "");
      field.focus();
    },
    accept(field) {
      showReason(alertOf(field), "");
      field.setAttribute("aria-invalid", "false");
    },
  },
};

function alertOf(field) {
  return document.getElementById(field.getAttribute("aria-describedby"));
}
