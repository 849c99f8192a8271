// What the reader, if they keep order in the room, may do to somebody. The server checks it again.

const RANKS = { owner: 2, helper: 1 };

// `me` is the pseudonym of the reader, `role` theirs: "owner", "helper" or "".
export function mayActOn(author, { me, role }) {
  return author !== me && rankOf(role) > rankOf(findMember(author)?.dataset.role);
}

// Returns the names of what may be done to who has written something.
export function listActs(author, reader) {
  if (!mayActOn(author, reader)) return [];
  const member = findMember(author);
  if (!member) return ["delete_all", "ban"]; // they have left
  return [isMuted(member) ? "unmute" : "mute", "delete_all", "remove", "ban"];
}

// Returns the names of what may be done to a member.
export function listMemberActs(author, reader) {
  const isOther = author !== reader.me;
  const roles = findMember(author)?.dataset.role === "helper" ? ["member", "owner"] : ["helper", "owner"];
  return [...(isOther && reader.role === "owner" ? roles : []), ...listActs(author, reader), "bans"];
}

// The list of members is on every page that shows the room, if only hidden.
function findMember(author) {
  return document.querySelector(`.feed-members > [data-key="${CSS.escape(author)}"]`);
}

function rankOf(role) {
  return RANKS[role] ?? 0;
}

function isMuted(member) {
  const mark = member.querySelector(".muted");
  return mark !== null && !mark.hidden;
}
