// A form that sends its fields once. It is busy until the server releases it.

const COMPOSING = 229; // keyCode in Safari of the Enter key that confirms an IME composition

export default {
  emits: ["submit"],
  data: () => ({ isBusy: false }),
  render() {
    return Vue.h(
      "form",
      {
        novalidate: true,
        "aria-busy": this.isBusy ? "true" : undefined,
        onSubmit: this.onSubmit,
        onKeydown: this.onKeydown,
      },
      this.$slots.default?.(),
    );
  },
  methods: {
    onSubmit(event) {
      event.preventDefault();
      if (this.isBusy) return;
      this.isBusy = true;
      this.$emit("submit", Object.fromEntries(new FormData(this.$el)));
    },
    onKeydown(event) {
      const isComposing = event.isComposing || event.keyCode === COMPOSING;
      if (event.key === "Enter" && isComposing) event.preventDefault(); // it would submit the form
    },
    release() {
      this.isBusy = false;
      this.$nextTick(() => {
        const refused = this.$el.querySelector('[aria-invalid="true"]');
        (refused ?? this.$el.querySelector("input, select")).focus();
      });
    },
  },
};
