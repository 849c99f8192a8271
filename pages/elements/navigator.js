// Opens links to sub pages without loading the page again, and follows the browser's history.

import { enableNavigation, LEAVING, openPath, pathInSite } from "navigation";

const SUB_PAGES = /^\/(r\/[^/]+)?$/;

export default {
  render() {
    return Vue.h("div", this.$slots.default?.());
  },
  mounted() {
    enableNavigation();
    document.addEventListener("click", this.onClick);
    window.addEventListener("popstate", this.onPopState);
  },
  unmounted() {
    document.removeEventListener("click", this.onClick);
    window.removeEventListener("popstate", this.onPopState);
  },
  methods: {
    onClick(event) {
      const link = event.target.closest("a[href]");
      const hasModifier = event.metaKey || event.ctrlKey || event.shiftKey || event.altKey;
      if (!link || link.target || link.hash || hasModifier || event.button || event.defaultPrevented) return;
      if (link.origin !== window.location.origin || !SUB_PAGES.test(pathInSite(link))) return;
      event.preventDefault(); // offline too: what is shown stays, and the status line says why
      document.dispatchEvent(new Event(LEAVING));
      if (window.socket?.connected) openPath(link.href);
    },
    onPopState() {
      document.dispatchEvent(new Event(LEAVING));
      emitEvent("sub_pages_open", pathInSite(window.location));
    },
  },
};
