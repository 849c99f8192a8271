// Preferences that this browser keeps in cookies, each of which is there while it is off.

export const SWITCHED = "preference-switched"; // an event of the document

export function isOff(name) {
  return document.cookie.split("; ").includes(`${name}=off`);
}

export function switchPreference(cookie) {
  document.cookie = cookie;
  document.dispatchEvent(new Event(SWITCHED));
}
