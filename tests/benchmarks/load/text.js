// Calls back with the number of each message of the load that a text holds.
export function findNumbers(text, found) {
  for (const [, number] of text.matchAll(/\bno\. (\d+):/g)) found(Number(number));
}
