// What readers do with Markdown: they open spoilers, and copy code.

import { copyText } from "copying";

// Makes the spoilers and the code of a message usable. Spoilers that were open in its row before stay so.
export function prepareMarkdown(node, { existing, texts, onCopied }) {
  prepareSpoilers(node, { existing, texts });
  for (const pre of node.querySelectorAll(".markdown pre")) addCopyButton(pre, texts.copyCode, onCopied);
}

// Makes the spoilers alone usable.
export function prepareSpoilers(node, { existing, texts }) {
  const text = node.querySelector(".markdown");
  if (!text) return;
  const isSame = existing && existing.querySelector(".text").dataset.source === text.dataset.source;
  const before = isSame ? existing.querySelectorAll(".spoiler") : [];
  text.querySelectorAll(".spoiler").forEach((spoiler, index) => {
    if (before[index]?.classList.contains("open")) open(spoiler);
    else close(spoiler, texts.spoiler);
  });
}

// A closed spoiler is a button whose content nobody sees, hears or reaches.
function close(spoiler, name) {
  const content = document.createElement("span");
  content.append(...spoiler.childNodes);
  spoiler.append(content);
  Object.assign(spoiler, { role: "button", tabIndex: 0, ariaLabel: name, ariaExpanded: "false", title: name });
  spoiler.addEventListener("click", () => open(spoiler), { once: true });
  spoiler.addEventListener("keydown", (event) => {
    if (event.target !== spoiler || spoiler.role === null || !["Enter", " "].includes(event.key)) return;
    event.preventDefault();
    open(spoiler);
  });
}

function open(spoiler) {
  spoiler.classList.add("open");
  Object.assign(spoiler, { role: null, tabIndex: -1, ariaLabel: null, ariaExpanded: null }); // keeps the focus
  spoiler.removeAttribute("title");
}

// The button is beside the code, which scrolls.
function addCopyButton(pre, name, onCopied) {
  const block = document.createElement("div");
  const button = document.createElement("button");
  block.className = "code-block";
  Object.assign(button, { type: "button", className: "copy-code", textContent: name });
  button.addEventListener("click", async () => (await copyText(pre.textContent)) && onCopied());
  pre.tabIndex = 0;
  pre.addEventListener("keydown", (event) => scrolls(pre, event) && event.stopPropagation());
  pre.replaceWith(block);
  block.append(pre, button);
}

// In a list these keys move the focus; code that is too wide is scrolled by them.
function scrolls(pre, { key }) {
  return ["ArrowLeft", "ArrowRight"].includes(key) && pre.scrollWidth > pre.clientWidth;
}
