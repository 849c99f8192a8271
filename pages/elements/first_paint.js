// Replaces the first paint when the scripts of a page have arrived: what was typed, opened and focused in
// it is kept, and the button or form that was used last acts then.

let act = () => {};

function onEarlyClick(event) {
  const button = event.target.closest("#app button[type=button]");
  if (button) act = () => document.getElementById(button.id)?.click();
}

function onEarlySubmit(event) {
  const form = event.target;
  if (form.hasAttribute("action")) return; // it works without scripts
  event.preventDefault();
  act = () => document.getElementById(form.id)?.requestSubmit();
}

document.addEventListener("click", onEarlyClick);
document.addEventListener("submit", onEarlySubmit);

function replaceFirstPaint(mount) {
  const painted = document.querySelectorAll("#app :is(input:not([type=file]), textarea, select, details)");
  const focused = document.activeElement;
  document.removeEventListener("click", onEarlyClick);
  document.removeEventListener("submit", onEarlySubmit);
  mount();
  for (const { id, value, defaultValue, checked, open } of painted) {
    const element = document.getElementById(id);
    if (!element) continue;
    if (open !== undefined) element.open = open;
    if (checked !== undefined) element.checked = checked;
    if (value === defaultValue) continue;
    element.value = value;
    element.dispatchEvent(new Event("input", { bubbles: true }));
  }
  act();
  const element = document.getElementById(focused.id);
  if (focused.isConnected || !element) return;
  element.focus({ preventScroll: true });
  if (focused.selectionStart !== null) element.setSelectionRange?.(focused.selectionStart, focused.selectionEnd);
}
