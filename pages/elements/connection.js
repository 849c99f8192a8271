// Shows a text when the connection has been lost for a moment, or is refused at this address. Reloads
// the page from another node when this one announces its shutdown.

import { whenSocket } from "socket";

// Times are in milliseconds. The retry delays are short enough to reconnect within two seconds, and
// long enough for Chromium, which delays connections for up to 5 s after dozens of failures a minute.
const STATUS_DELAY = 700;
const RETRY = { delay: 500, delayMax: 1300, jitter: 0.2, timeout: 5000 };
const MOVE = { jitter: 1500, retryDelay: 500 };

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function move() {
  await sleep(Math.random() * MOVE.jitter); // another node has to draw all these pages
  while (!(await fetch("healthz", { cache: "no-store" }).then((response) => response.ok, () => false)))
    await sleep(MOVE.retryDelay);
  location.reload();
}

export default {
  props: { text: String, origin: String, refused: String },
  data: () => ({ isLost: false }),
  render() {
    const isRefused = window.location.origin !== this.origin;
    const problem = isRefused ? this.refused.replace("{here}", window.location.origin) : this.text;
    return Vue.h("p", { role: "status", class: "connection" }, isRefused || this.isLost ? problem : "");
  },
  mounted() {
    // A rule for them looks at the whole page, so that each new row would cost more than its layout.
    for (const node of document.querySelectorAll("noscript")) node.remove();
    this.onDisconnect = () => (this.timer ??= setTimeout(() => (this.isLost = true), STATUS_DELAY));
    this.onConnect = () => {
      clearTimeout(this.timer);
      this.timer = undefined;
      this.isLost = false;
    };
    // Reconnects without waiting for the retry delay.
    this.onOnline = () => window.socket?.connected || window.socket?.disconnect().connect();
    window.addEventListener("online", this.onOnline);
    whenSocket(this.addListeners);
  },
  unmounted() {
    this.onConnect();
    window.removeEventListener("online", this.onOnline);
    window.socket?.off("disconnect", this.onDisconnect).off("connect", this.onConnect).off("move", move);
  },
  methods: {
    addListeners(socket) {
      socket.on("disconnect", this.onDisconnect).on("connect", this.onConnect).on("move", move);
      socket.io.reconnectionDelay(RETRY.delay);
      socket.io.reconnectionDelayMax(RETRY.delayMax);
      socket.io.randomizationFactor(RETRY.jitter);
      socket.io.timeout(RETRY.timeout);
    },
  },
};
