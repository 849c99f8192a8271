// The part of the login form that signs in: posts the form, and solves proof-of-work challenges.

import { solve } from "challenge";

const ATTEMPT = "attempt"; // its key in the session storage: a reload continues a failed attempt

export default {
  props: {
    screen: Number, // id of the screen, which shows alerts
    target: String, // path of the page to open
    challenge: String,
    bits: Number,
    working: String,
    failed: String,
    no_cookie: String,
  },
  data: () => ({ solution: "", isSolving: false, isBusy: false }),
  render() {
    return Vue.h("p", { role: "status", class: "hint" }, this.isSolving ? this.working : "");
  },
  mounted() {
    this.form = this.$el.closest("form");
    this.form.addEventListener("submit", this.onSubmit);
    if (this.challenge) this.solve(this.challenge, this.bits);
  },
  unmounted() {
    this.cancel?.();
  },
  methods: {
    async onSubmit(event) {
      event.preventDefault();
      if (this.isSolving) return (this.isWanted = true);
      if (this.isBusy) return;
      this.isBusy = true;
      const screen = getElement(this.screen);
      for (const name of ["nickname", "phrase"]) screen.showAlert(name, "");
      const refusal = await this.signIn().catch(() => ({ field: "nickname", reason: this.failed }));
      if (!refusal) return;
      this.isBusy = false;
      if (refusal.challenge) this.solve(refusal.challenge, refusal.bits, true);
      else screen.reject(refusal.field, refusal.reason);
    },
    // Returns why the sign-in was refused, or nothing if the page is being left.
    async signIn() {
      const attempt = (sessionStorage[ATTEMPT] ??= newSecret());
      const fields = { ...Object.fromEntries(new FormData(this.form)), solution: this.solution, attempt };
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
  },
};

function newSecret() {
  return Array.from(crypto.getRandomValues(new Uint8Array(32)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
