// Shows what is needed if the browser blocks cookies or site data: without them NiceGUI does not start.
(() => {
  try {
    sessionStorage.getItem("");
    if (navigator.cookieEnabled) return;
  } catch {
    // access is denied
  }
  document.getElementById("no-storage").hidden = false;
})();
