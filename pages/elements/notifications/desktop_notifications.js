// The notifier of this page, which uses the notifications of the browser.

import { chime } from "chime";
import { openPath } from "navigation";
import { NotificationChoices } from "notification_choices";
import { Notifier } from "notifier";

const TEXT_CHARACTERS = 200;
const ICON = "assets/icon-192.png";

export const notifier = new Notifier({
  storage: localStorage,
  choices: new NotificationChoices(localStorage),
  show,
  chime,
});

// Asks for the permission if nobody has; tells whether it is given.
export async function requestPermission() {
  // Browsers of Android have the interface and refuse to use it without a service worker.
  if (!("Notification" in window) || /Android/.test(navigator.userAgent)) return false;
  return (await Notification.requestPermission()) === "granted";
}

function show({ room, name, text, news }, isOpen) {
  if (window.Notification?.permission !== "granted") return;
  const link = document.querySelector(`[data-room="${CSS.escape(room)}"] > .sidebar-room`);
  if (!link) return; // it was left meanwhile
  const room_name = link.querySelector("bdi").textContent;
  const notification = new Notification(
    isOpen ? (name ? `${name} · ${room_name}` : room_name) : news,
    { body: isOpen ? (text?.slice(0, TEXT_CHARACTERS) || news) : "", tag: room, icon: ICON, silent: true },
  );
  notification.addEventListener("click", () => {
    notification.close();
    window.focus();
    openPath(link.getAttribute("href"));
  });
  return notification;
}
