// The title of the page and its icon, with the number of unseen messages: here and in other rooms.

const DOT = '<circle cx="20" cy="6" r="6" fill="#d9304f"/>'; // in the 26 by 26 units of the icon

const counts = { here: 0, elsewhere: 0 };
let title = document.title;
let shown = title;
let marked = 0; // the number that the icons tell
let icons; // the addresses of the icon of the tab, without and with a dot

// NiceGUI sets another title when another room is opened.
new MutationObserver(() => {
  if (document.title === shown) return;
  title = document.title;
  showTitle();
}).observe(document.head, { subtree: true, childList: true, characterData: true });

// A number that stays on the icon of the app would count what is gone.
window.addEventListener("pagehide", () => showOnApp(0));

export function showUnseen(change) {
  Object.assign(counts, change);
  showTitle();
}

function showTitle() {
  const unseen = counts.here + counts.elsewhere;
  shown = unseen ? `(${unseen}) ${title}` : title;
  if (document.title !== shown) document.title = shown;
  if (unseen === marked) return;
  showOnApp(unseen);
  if (!unseen !== !marked) showOnTab();
  marked = unseen;
}

function showOnApp(count) {
  navigator.setAppBadge?.(count).catch(() => {}); // a browser may have it and refuse
}

async function showOnTab() {
  const link = document.querySelector("link[rel~=icon]");
  icons ??= addDot(link.href);
  const [plain, dotted] = await icons;
  link.href = marked ? dotted : plain;
}

// Returns the address of an icon, and of the same one with a dot.
async function addDot(plain) {
  const response = await fetch(plain).catch(() => null);
  if (!response?.ok) return [plain, plain];
  const drawn = (await response.text()).replace("</svg>", `${DOT}</svg>`);
  return [plain, `data:image/svg+xml,${encodeURIComponent(drawn)}`];
}
