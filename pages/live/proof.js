// The field of a form that shows, by work that the browser has done, that this is not a flood.

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
    this.giveUp?.();
  },
  methods: {
    // Solve a challenge, and then send the form if it was refused for want of that.
    solve(challenge, bits, sends) {
      this.giveUp?.();
      this.show("", true);
      this.giveUp = solve(challenge, bits, async (solution) => {
        await this.show(solution, false);
        if (sends) this.form().requestSubmit();
      });
    },
    // The field is filled before the button lets go: a click may follow at once.
    async show(solution, isWorking) {
      Object.assign(this, { solution, isWorking });
      await this.$nextTick();
      this.form().querySelector("[type=submit]").disabled = isWorking;
    },
    form() {
      return this.$el.closest("form");
    },
  },
};
