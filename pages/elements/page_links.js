// Links to pages.

export default {
  props: { links: Array }, // of [href, title]
  render() {
    return Vue.h("div", { class: "page-links" }, this.links.map(([href, title]) => Vue.h("a", { key: href, href }, title)));
  },
};
