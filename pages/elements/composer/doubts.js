// The question whether to send texts in spite of warnings, with a button for each answer.

export function drawDoubts({ question, warnings, send, edit, onSend, onEdit }) {
  const box = document.createElement("div");
  box.className = "doubts";
  box.append(create("b", question), list(warnings), button(send, "", onSend), button(edit, "quiet", onEdit));
  return box;
}

function list(texts) {
  const node = create("ul", "");
  node.append(...texts.map((text) => create("li", text)));
  return node;
}

function button(text, kind, onClick) {
  const node = create("button", text);
  node.type = "button";
  node.className = `button ${kind}`;
  node.addEventListener("click", onClick);
  return node;
}

function create(tag, text) {
  const node = document.createElement(tag);
  node.textContent = text;
  return node;
}
