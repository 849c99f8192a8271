// Codes of emoji, such as ":wave:", in what is typed.

const FOUND_MAX = 5;
const BEGINNING = /(?<![\p{L}\p{N}:/]):([\p{L}\p{N}_+-]{2,40})$/u;
const WHOLE = /(?<![\p{L}\p{N}:/]):([\w+-]{1,60}):$/u;

// Returns what is typed of a code before the caret, if anything.
export function readCode(text, caret) {
  return BEGINNING.exec(text.slice(0, caret))?.[1];
}

// Whether a whole code, which may be none of ours, ends at the caret.
export function endsCode(text, caret) {
  return WHOLE.test(text.slice(0, caret));
}

// Returns the text with the emoji of the code that ends at the caret, and the caret behind it.
export function replaceCode(all, text, caret) {
  const code = WHOLE.exec(text.slice(0, caret))?.[1];
  const found = all.find(({ codes }) => codes.includes(code));
  return found && insert(text, caret - code.length - 2, caret, found.emoji);
}

// Returns a choice for each of the emoji, the found ones for what is typed.
export function listChoices(found, text, caret) {
  const start = caret - readCode(text, caret).length - 1;
  return found.slice(0, FOUND_MAX).map(({ emoji, name, codes }) => ({
    sign: emoji,
    title: `:${codes[0]}:`,
    help: name,
    isTyped: false,
    ...insert(text, start, caret, `${emoji} `),
  }));
}

function insert(text, start, end, added) {
  const after = text.slice(end);
  const rest = added.endsWith(" ") && after.startsWith(" ") ? after.slice(1) : after;
  return { text: `${text.slice(0, start)}${added}${rest}`, caret: start + added.length };
}
