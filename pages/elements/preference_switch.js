// A switch that takes effect at once: for the visitor, or with a cookie for this browser alone.

import { isOff, switchPreference } from "preferences";

export default {
  props: { text: String, on: Boolean, cookie: Object },
  emits: ["change"],
  data() {
    return { isOn: this.cookie ? !isOff(this.cookie.name) : this.on };
  },
  render() {
    return Vue.h("label", { class: "switch" }, [
      Vue.h("span", this.text),
      Vue.h("input", { type: "checkbox", role: "switch", checked: this.isOn, onChange: this.onChange }),
    ]);
  },
  methods: {
    onChange({ target }) {
      this.isOn = target.checked;
      if (this.cookie) switchPreference(this.isOn ? this.cookie.on : this.cookie.off);
      else this.$emit("change", this.isOn);
    },
    // The server has refused the change.
    set(isOn) {
      this.isOn = isOn;
    },
  },
};
