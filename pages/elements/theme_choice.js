// The choice of a theme. The page changes at once, and a cookie remembers the theme for the next one.

export default {
  props: { options: Array, label: String },
  data() {
    return { current: themeStyle().dataset.theme }; // the page was drawn with it, or it was chosen since
  },
  render() {
    return Vue.h(
      "div",
      { class: "themes", role: "radiogroup", "aria-label": this.label },
      this.options.map((option) =>
        Vue.h("label", { class: "theme", key: option.name }, [
          Vue.h("input", {
            type: "radio",
            name: "look",
            value: option.name,
            checked: option.name === this.current,
            onChange: () => this.choose(option),
          }),
          Vue.h("i", { class: "swatch", "aria-hidden": "true", style: this.swatch(option) }),
          option.title,
        ]),
      ),
    );
  },
  methods: {
    swatch({ page, button }) {
      const both = (colors) => `light-dark(${colors.light}, ${colors.dark})`;
      return { "--page": both(page), "--button": both(button) };
    },
    choose(option) {
      this.current = option.name;
      document.cookie = option.cookie;
      if (!option.css) return this.show(option, null);
      // Shown together with its style sheet, so that no half of it is seen.
      const link = document.createElement("link");
      Object.assign(link, { className: "theme-css", rel: "stylesheet", href: option.css });
      link.onload = link.onerror = () =>
        option.name === this.current ? this.show(option, link) : link.remove();
      themeStyle().after(link);
    },
    show(option, link) {
      for (const other of document.querySelectorAll(".theme-css")) if (other !== link) other.remove();
      themeStyle().textContent = option.style;
      themeStyle().dataset.theme = option.name;
      for (const meta of document.querySelectorAll("meta[name=theme-color]")) {
        meta.content = option.page[meta.dataset.scheme];
      }
    },
  },
};

function themeStyle() {
  return document.getElementById("theme-style");
}
