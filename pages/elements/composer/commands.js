// Commands of plugins: texts such as "/roll 2". The server reads them in the same way.

const COMMAND = /^\/[a-z][a-z0-9_-]{0,31}(\s|$)/i;
const BEGINNING = /^\s*\/([a-z0-9_-]*)$/i;

export function isCommand(text) {
  return COMMAND.test(text);
}

// Whether a text is a command, or may become one.
export function isSlashed(text) {
  return text.startsWith("/") && !text.startsWith("//");
}

// A text that begins with two slashes is posted with one.
export function unescapeSlash(text) {
  return text.startsWith("//") ? text.slice(1) : text;
}

// The commands whose names begin as the text does, while it is nothing but a beginning, each with the
// text after it was chosen; where arguments follow, they can be typed at once.
export function findCommands(commands, text) {
  const typed = BEGINNING.exec(text)?.[1].toLowerCase();
  if (typed === undefined) return [];
  return commands
    .filter(({ name }) => name.startsWith(typed))
    .map(({ name, usage, help }) => ({
      title: usage,
      help,
      isTyped: name === typed,
      text: usage === `/${name}` ? usage : `/${name} `,
    }));
}
