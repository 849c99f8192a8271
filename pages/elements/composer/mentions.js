// Members whose nickname completes what is typed after "@".

const FOUND_MAX = 8;
const NICKNAME_MAX = 40;
const SIGN = /(?<![A-Za-z0-9_])@([^@\n]*)$/;

// The members that the page shows, the reader excepted: name and badge.
export function listMembers() {
  const rows = document.querySelectorAll(".feed-members > .member:not(.own)");
  const text = (row, part) => row.querySelector(part)?.textContent ?? "";
  return Array.from(rows, (row) => ({ name: text(row, ".who"), badge: text(row, ".badge") }));
}

// The members whose names begin as typed before the caret, each with the text that mentions them and
// the caret behind it.
export function findMembers(members, text, caret) {
  const typed = SIGN.exec(text.slice(0, caret))?.[1];
  if (typed === undefined || typed.length > NICKNAME_MAX) return [];
  const start = caret - typed.length;
  return members
    .filter(({ name }) => fold(name).startsWith(fold(typed)))
    .slice(0, FOUND_MAX)
    .map(({ name, badge }) => ({
      title: name,
      help: badge,
      isTyped: fold(name) === fold(typed),
      text: `${text.slice(0, start)}${name} ${text.slice(caret).trimStart()}`,
      caret: start + name.length + 1,
    }));
}

function fold(text) {
  return text.normalize("NFKC").toLowerCase();
}
