// The items of the menu of what a room may notify its reader of.

import { chime } from "chime";
import { requestPermission } from "desktop_notifications";
import { NotificationChoices } from "notification_choices";

const LEVELS = ["all", "mentions", "none"];

// `onRefused` is called if the browser refuses what was chosen, `onAllowed` if not.
export function listNotificationItems(room, texts, { onRefused, onAllowed }) {
  const choices = new NotificationChoices(localStorage);
  const { level, sound, shows_text } = choices.read(room);
  const allow = async () => ((await requestPermission()) ? onAllowed() : onRefused());
  const choose = (changes, isAsked) => {
    choices.write(room, changes);
    if (changes.sound) chime();
    if (isAsked) allow();
  };
  return [
    ...LEVELS.map((each) => [texts[each], () => choose({ level: each }, each !== "none"), { role: "menuitemradio", isChecked: each === level }]),
    [texts.sound, () => choose({ sound: !sound }), { role: "menuitemcheckbox", isChecked: sound }],
    [texts.shows_text, () => choose({ shows_text: !shows_text }, !shows_text), { role: "menuitemcheckbox", isChecked: shows_text }],
  ];
}
