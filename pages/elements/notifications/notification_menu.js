// The menu of what a room may notify its reader of.

import { chime } from "chime";
import { requestPermission } from "desktop_notifications";
import { NotificationChoices } from "notification_choices";
import { createMenu, openMenu } from "popup_menu";

const LEVELS = ["all", "mentions", "none"];

// Opens it below its button. `onRefused` is called if the browser refuses what was chosen, `onAllowed` if not.
export function openNotificationMenu(button, room, texts, { onRefused, onAllowed }) {
  const choices = new NotificationChoices(localStorage);
  const { level, sound, shows_text } = choices.read(room);
  const allow = async () => ((await requestPermission()) ? onAllowed() : onRefused());
  const choose = (changes, isAsked) => {
    choices.write(room, changes);
    if (changes.sound) chime();
    if (isAsked) allow();
  };
  const items = [
    ...LEVELS.map((each) => [texts[each], () => choose({ level: each }, each !== "none"), { role: "menuitemradio", isChecked: each === level }]),
    [texts.sound, () => choose({ sound: !sound }), { role: "menuitemcheckbox", isChecked: sound }],
    [texts.shows_text, () => choose({ shows_text: !shows_text }, !shows_text), { role: "menuitemcheckbox", isChecked: shows_text }],
  ];
  const menu = createMenu(button.ariaLabel, items, close);
  const onOutside = ({ target }) => menu.contains(target) || close();
  function close() {
    if (!menu.isConnected) return;
    const hadFocus = menu.contains(document.activeElement);
    document.removeEventListener("pointerdown", onOutside, true);
    button.ariaExpanded = "false";
    menu.remove();
    if (hadFocus) button.focus();
  }
  menu.addEventListener("focusout", ({ relatedTarget }) => relatedTarget && !menu.contains(relatedTarget) && close());
  document.addEventListener("pointerdown", onOutside, true);
  button.after(menu);
  button.ariaExpanded = "true";
  openMenu(menu, button.getBoundingClientRect());
  return close;
}
