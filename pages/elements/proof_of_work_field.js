// A hidden form field with the solution of a proof-of-work challenge.

import { solve } from "challenge";

export default {
  props: { challenge: String, bits: Number, working: String },
  data: () => ({ solution: "", isWorking: false }),
  render() {
    return Vue.h("p", { role: "status", class: "hint" }, [
      Vue.h("input", { type: "hidden", name: "solution", value: this.solution }),
      this.isWorking ? this.working : "",
    ]);
  },
  mounted() {
    if (this.challenge) this.solve(this.challenge, this.bits, false);
  },
  unmounted() {
    this.cancel?.();
  },
  methods: {
    // Solves a challenge, and then submits the form if `submits` is true.
    solve(challenge, bits, submits) {
      this.cancel?.();
      this.update("", true);
      this.cancel = solve(challenge, bits, async (solution) => {
        await this.update(solution, false);
        if (submits) this.form().requestSubmit();
      });
    },
    // The field is set before the button is enabled, because a click may follow at once.
    async update(solution, isWorking) {
      Object.assign(this, { solution, isWorking });
      await this.$nextTick();
      this.form().querySelector("[type=submit]").disabled = isWorking;
    },
    form() {
      return this.$el.closest("form");
    },
  },
};
