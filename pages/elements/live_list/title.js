// The title of the page, with the number of unseen messages: here and in other rooms.

const counts = { here: 0, elsewhere: 0 };
let title = document.title;
let shown = title;

// NiceGUI sets another title when another room is opened.
new MutationObserver(() => {
  if (document.title === shown) return;
  title = document.title;
  showTitle();
}).observe(document.head, { subtree: true, childList: true, characterData: true });

export function showUnseen(change) {
  Object.assign(counts, change);
  showTitle();
}

function showTitle() {
  const unseen = counts.here + counts.elsewhere;
  shown = unseen ? `(${unseen}) ${title}` : title;
  if (document.title !== shown) document.title = shown;
}
