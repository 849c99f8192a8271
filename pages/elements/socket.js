// NiceGUI's socket, which it creates only after it has mounted the elements of a page.

const RETRY_DELAY = 20; // ms

export function whenSocket(callback) {
  if (window.socket) callback(window.socket);
  else setTimeout(whenSocket, RETRY_DELAY, callback);
}
