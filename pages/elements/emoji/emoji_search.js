// Emoji by their codes, such as "wave", by names, and by other words.

const SELECTORS = /\uFE0F/g; // they ask for colours, and are often left out

// Reads the rows of assets/emoji/: emoji, number of the group, name, codes and words.
export function readEmoji(rows) {
  return rows.map(([emoji, group, name, codes, words]) => ({
    emoji,
    group,
    name,
    codes: codes.split(" "),
    index: ` ${fold(name)} ${codes} ${words.replaceAll("ё", "е")} ${bare(emoji)}`,
  }));
}

// Finds those of which each typed word begins a word; the best ones first.
export function findEmoji(all, typed) {
  const text = bare(fold(typed));
  const words = text.split(/\s+/).filter(Boolean);
  return all
    .filter(({ index }) => words.every((word) => index.includes(` ${word}`)))
    .map((entry) => [rank(entry, text), entry])
    .sort(([a], [b]) => a - b)
    .map(([, entry]) => entry);
}

function rank({ emoji, name, codes }, text) {
  if (codes.includes(text) || fold(name) === text || bare(emoji) === text) return 0;
  if (codes.some((code) => code.startsWith(text)) || fold(name).startsWith(text)) return 1;
  return codes.some((code) => code.includes(`_${text}`)) || fold(name).includes(` ${text}`) ? 2 : 3;
}

function fold(text) {
  return text.normalize("NFKC").trim().toLowerCase().replaceAll("ё", "е");
}

function bare(text) {
  return text.replace(SELECTORS, "");
}
