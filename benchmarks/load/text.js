// Calls back with the number of each load message in the text.
export function findNumbers(text, found) {
  for (const [, number] of text.matchAll(/\bno\. (\d+):/g)) found(Number(number));
}
