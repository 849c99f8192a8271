// What is copied from a log: a line for each message, without what only the page needs.

// Replaces the copied text by lines such as "Ann, 13:05: text"; a part of one message stays as it is.
export function copyMessages(event, rows) {
  if (event.target.closest?.("input, textarea")) return; // their selection is not the document's
  const selection = document.getSelection();
  const copied = [...rows].map((row) => [row, selectedText(row, selection)]).filter(([, text]) => text);
  if (!copied.length) return;
  const lines = copied.length === 1 ? [copied[0][1]] : copied.map(([row, text]) => `${heading(row)}: ${text}`);
  event.clipboardData.setData("text/plain", lines.join("\n"));
  event.preventDefault();
}

// Copies a text; returns whether that was possible.
export async function copyText(text) {
  const isCopied = await navigator.clipboard?.writeText(text).then(() => true, () => false);
  if (isCopied) return true;
  // Plain HTTP has no `clipboard`, and a browser may refuse it: then a selection is copied.
  const focused = document.activeElement;
  const box = document.createElement("textarea");
  box.className = "spoken";
  box.value = text;
  document.body.append(box);
  box.select();
  const hasCopied = document.execCommand("copy");
  box.remove();
  focused?.focus({ preventScroll: true });
  return hasCopied;
}

function selectedText({ node }, selection) {
  const ranges = Array.from({ length: selection.rangeCount }, (_, index) => selection.getRangeAt(index));
  return ranges.map((range) => clip(range, node.querySelector(".text"))).join("");
}

// Returns the selected text of an element.
function clip(selected, element) {
  const range = document.createRange();
  range.selectNodeContents(element);
  const { startContainer, startOffset, endContainer, endOffset } = selected;
  if (range.comparePoint(startContainer, startOffset) >= 0) range.setStart(startContainer, startOffset);
  if (range.comparePoint(endContainer, endOffset) <= 0) range.setEnd(endContainer, endOffset);
  return range.toString();
}

function heading({ node }) {
  return [".who", "time"].map((part) => node.querySelector(part).textContent).join(", ");
}
