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

// Returns the text of a message as it was typed.
export function readSource({ node }) {
  const text = node.querySelector(".text");
  return text.dataset.source || readText(text);
}

function selectedText(row, selection) {
  const ranges = Array.from({ length: selection.rangeCount }, (_, index) => selection.getRangeAt(index));
  return ranges.map((range) => clip(range, row)).join("");
}

// Returns the selected text of a message.
function clip(selected, row) {
  const text = row.node.querySelector(".text");
  const range = document.createRange();
  range.selectNodeContents(text);
  const whole = range.toString();
  const { startContainer, startOffset, endContainer, endOffset } = selected;
  if (range.comparePoint(startContainer, startOffset) >= 0) range.setStart(startContainer, startOffset);
  if (range.comparePoint(endContainer, endOffset) <= 0) range.setEnd(endContainer, endOffset);
  const part = range.toString();
  return part && (part === whole ? readSource(row) : readText(range.cloneContents()));
}

// Returns what is shown as text, with its lines.
function readText(content) {
  const copied = content.cloneNode(true);
  for (const button of copied.querySelectorAll("button")) button.remove();
  for (const line of copied.querySelectorAll("br")) line.replaceWith("\n");
  const blocks = [...copied.querySelectorAll("p, pre, li, blockquote")];
  for (const block of blocks) if (block.nextElementSibling || block.tagName === "LI") block.append("\n");
  return blocks.length ? copied.textContent.trimEnd() : copied.textContent;
}

function heading({ node }) {
  return [".who", "time"].map((part) => node.querySelector(part).textContent).join(", ");
}
