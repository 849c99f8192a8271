// Ends the session, forgets the drafts of this tab and opens the login page.

export default {
  props: { label: String, failed: String },
  data: () => ({ reason: "" }),
  render() {
    return Vue.h("div", { class: "sign-out" }, [
      Vue.h("p", { class: "alert", role: "alert" }, this.reason),
      Vue.h("button", { type: "button", class: "button", onClick: this.signOut }, this.label),
    ]);
  },
  methods: {
    async signOut() {
      this.reason = "";
      // The server may redirect this page before it responds: `keepalive` lets the request finish.
      const forget = () => sessionStorage.clear();
      window.addEventListener("pagehide", forget);
      const request = fetch("session", { method: "DELETE", keepalive: true });
      if (await request.then((response) => response.ok, () => false)) {
        window.location.replace("login");
      } else {
        window.removeEventListener("pagehide", forget);
        this.reason = this.failed;
      }
    },
  },
};
