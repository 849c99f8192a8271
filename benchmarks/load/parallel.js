// Calls the function for each item, with at most `atOnce` calls at a time.
export async function inParallel(items, atOnce, call) {
  const queue = [...items];
  const work = async () => {
    while (queue.length) await call(queue.shift());
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}
