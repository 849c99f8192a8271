// Ends the session, forgets the drafts of this tab and what the browser remembers, and opens the login page.

export default {
  props: { label: String, failed: String },
  data: () => ({ reason: "", isBusy: false }),
  render() {
    return Vue.h("div", { class: "sign-out" }, [
      Vue.h("p", { class: "alert", role: "alert" }, this.reason),
      Vue.h(
        "button",
        { type: "button", class: "button", "aria-busy": String(this.isBusy), onClick: this.signOut },
        this.label,
      ),
    ]);
  },
  methods: {
    async signOut() {
      if (this.isBusy) return;
      this.isBusy = true;
      this.reason = "";
      // The server may redirect this page before it responds: `keepalive` lets the request finish.
      const forget = () => {
        localStorage.clear();
        sessionStorage.clear();
      };
      window.addEventListener("pagehide", forget);
      const request = fetch("session", { method: "DELETE", keepalive: true });
      if (await request.then((response) => response.ok, () => false)) {
        window.location.replace("login");
      } else {
        window.removeEventListener("pagehide", forget);
        this.reason = this.failed;
        this.isBusy = false;
      }
    },
  },
};
