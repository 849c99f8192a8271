// The emoji in the language of the page, loaded when they are first needed.

import { readEmoji } from "emoji_search";

const loading = new Map(); // by URL

// Returns them; rejects if they cannot be loaded, and tries again when it is called again.
export function loadEmoji(url) {
  if (!loading.has(url)) loading.set(url, load(url));
  return loading.get(url);
}

async function load(url) {
  try {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`The emoji cannot be loaded: ${response.status}.`);
    return readEmoji(await response.json());
  } catch (error) {
    loading.delete(url);
    throw error;
  }
}
