// A text that is read out when it appears (see reason.js).

import { showReason } from "reason";

export default {
  props: { reason: Array }, // the text, and the seconds that are counted down in it
  render() {
    return Vue.h("p", { role: "alert" });
  },
  mounted() {
    this.show();
  },
  watch: {
    reason: "show", // another array with each refusal, also if its content is the same
  },
  methods: {
    show() {
      showReason(this.$el, ...this.reason);
    },
  },
};
