// Why something was refused. The seconds of a rate limit are counted down in the text, which goes away
// with the last one; screen readers say it once, since a timer is no live region.

const SECOND = 1_000; // ms

const countdowns = new WeakMap(); // timeouts, by the node that shows the text

export function showReason(node, text, seconds = 0, onEnd = () => {}) {
  clearTimeout(countdowns.get(node));
  countdowns.delete(node);
  if (!seconds) return (node.textContent = text);
  const until = Date.now() + seconds * SECOND;
  const start = text.lastIndexOf(String(seconds));
  const timer = document.createElement("span");
  timer.role = "timer";
  timer.textContent = seconds;
  node.replaceChildren(text.slice(0, start), timer, text.slice(start + timer.textContent.length));
  const wait = () => countdowns.set(node, setTimeout(update, (until - Date.now()) % SECOND || SECOND));
  const update = () => {
    const left = Math.ceil((until - Date.now()) / SECOND);
    if (left > 0 && node.isConnected) {
      timer.textContent = left;
      return wait();
    }
    showReason(node, "");
    onEnd();
  };
  wait();
}

// Removes a reason after what it was about has been changed, which does not end a rate limit.
export function dismissReason(node) {
  if (!countdowns.has(node)) node.textContent = "";
}
