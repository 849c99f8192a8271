// Does the same for each of many, so many at once.
export async function inParallel(items, atOnce, act) {
  const waiting = [...items];
  const work = async () => {
    while (waiting.length) await act(waiting.shift());
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}
