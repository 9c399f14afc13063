// Many of a kind, some of which are made at a time: of a hundred clients that begin in the
// same instant the last may take longer on a busy machine than any of them may.

const AT_ONCE = 10;

/** Makes so many, each by `make(number)`; resolves to all of them. */
export async function crowd(count, make) {
  const made = [];
  let next = 0;
  const some = async () => {
    while (next < count) {
      const number = next++;
      made[number] = await make(number);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, some));
  return made;
}
