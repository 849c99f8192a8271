// Says when the connection has been lost for a moment; a blink is not worth a word. Moves to another
// node when this one says that it ends.

const PATIENCE = 700;
// Often enough to be back within two seconds; but Chromium makes whoever has failed some dozens of
// times in a minute wait for up to five.
const RETRY = { first: 500, longest: 1300, spread: 0.2, patience: 5000 };
const MOVE = { spread: 1500, again: 500 };

const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

async function move() {
  await wait(Math.random() * MOVE.spread); // whoever takes all of them in has to draw their pages
  while (!(await fetch("/healthz", { cache: "no-store" }).then((answer) => answer.ok, () => false)))
    await wait(MOVE.again);
  location.reload();
}

export default {
  props: { text: String },
  data: () => ({ lost: false }),
  render() {
    return Vue.h("p", { role: "status", class: "connection" }, this.lost ? this.text : "");
  },
  mounted() {
    this.onLost = () => (this.timer ??= setTimeout(() => (this.lost = true), PATIENCE));
    this.onFound = () => {
      clearTimeout(this.timer);
      this.timer = undefined;
      this.lost = false;
    };
    this.onOnline = () => window.socket?.connected || window.socket?.disconnect().connect(); // at once
    window.addEventListener("online", this.onOnline);
    this.watch();
  },
  unmounted() {
    this.onFound();
    window.removeEventListener("online", this.onOnline);
    window.socket?.off("disconnect", this.onLost).off("connect", this.onFound).off("move", move);
  },
  methods: {
    watch() {
      if (!window.socket) return setTimeout(() => this.watch(), 20);
      window.socket.on("disconnect", this.onLost).on("connect", this.onFound).on("move", move);
      window.socket.io.reconnectionDelay(RETRY.first);
      window.socket.io.reconnectionDelayMax(RETRY.longest);
      window.socket.io.randomizationFactor(RETRY.spread);
      window.socket.io.timeout(RETRY.patience);
    },
  },
};
