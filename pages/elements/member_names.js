// The names of members by pseudonym: the list of members is on the page, even if it is not shown.

export function findName(author) {
  const row = document.querySelector(`.feed-members > [data-author="${CSS.escape(author)}"]`);
  return row?.querySelector(".who")?.textContent;
}
