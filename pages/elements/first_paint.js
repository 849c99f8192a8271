// Replaces the first paint by calling `mount`; what was typed, opened and focused in it is kept.
function replaceFirstPaint(mount) {
  const painted = document.querySelectorAll("#app :is(input:not([type=file]), textarea, select, details)");
  const focused = document.activeElement;
  mount();
  for (const { id, value, defaultValue, checked, open } of painted) {
    const element = document.getElementById(id);
    if (!element) continue;
    if (open !== undefined) element.open = open;
    if (checked !== undefined) element.checked = checked;
    if (value !== defaultValue) element.value = value;
  }
  const element = document.getElementById(focused.id);
  if (focused.isConnected || !element) return;
  element.focus({ preventScroll: true });
  if (focused.selectionStart !== null) element.setSelectionRange?.(focused.selectionStart, focused.selectionEnd);
}
