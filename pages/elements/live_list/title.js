// The title of the page, with the number of unseen messages: here and in other rooms.

const title = document.title;
const counts = { here: 0, elsewhere: 0 };

export function showUnseen(change) {
  Object.assign(counts, change);
  const unseen = counts.here + counts.elsewhere;
  const text = unseen ? `(${unseen}) ${title}` : title;
  if (document.title !== text) document.title = text;
}
