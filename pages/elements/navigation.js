// Paths of the site that are opened without loading the page again.

export const OPENED = "sub-page-opened"; // event of the document: another sub page is shown
export const LEAVING = "sub-page-leaving"; // event of the document: another one was requested

let isEnabled = false; // whether this page has sub pages
let opened = window.location.pathname; // the address may change some moments after the sub page

export function enableNavigation() {
  isEnabled = true;
}

export function isOpened(link) {
  // A link that is not in the document yet has no address.
  return new URL(link.getAttribute("href"), document.baseURI).pathname === opened;
}

export function setOpened(path) {
  opened = new URL(`.${path}`, document.baseURI).pathname;
  document.dispatchEvent(new Event(OPENED));
}

// Opens a path relative to the site, such as "." or "r/tea", or a URL.
export function openPath(path) {
  const url = new URL(path, document.baseURI);
  if (isEnabled) emitEvent("sub_pages_navigate", pathInSite(url));
  else window.location.assign(url);
}

// The path below that of the site, with a slash in front.
export function pathInSite(url) {
  const { pathname } = new URL(document.baseURI);
  return url.pathname.slice(pathname.length - 1);
}
