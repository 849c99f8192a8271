// Finds a number that, appended to a challenge, gives a SHA-256 hash with enough leading zero bits.
// Works in time slices, so that the page stays responsive. Has no imports, because busy_page.py inlines
// it into the page for networks over their limits.

const SLICE = 12; // milliseconds

// Calls `done` with the solution asynchronously; returns a function that cancels the search.
export function solve(challenge, bits, done) {
  let number = 0;
  let timer = setTimeout(search);
  function search() {
    const end = performance.now() + SLICE;
    do {
      const solution = `${challenge}:${number++}`;
      if (leadingZeros(sha256(solution)) >= bits) return done(solution);
    } while (performance.now() < end);
    timer = setTimeout(search);
  }
  return () => clearTimeout(timer);
}

function leadingZeros([first, second]) {
  return first ? Math.clz32(first) : 32 + Math.clz32(second);
}

// SHA-256 of FIPS 180-4: crypto.subtle needs HTTPS and is too slow for so many short inputs.
const PRIMES = [];
for (let n = 2; PRIMES.length < 64; n++) if (PRIMES.every((prime) => n % prime)) PRIMES.push(n);
const fraction = (x) => ((x - Math.floor(x)) * 2 ** 32) | 0;
const START = PRIMES.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));
const ROUND = PRIMES.map((prime) => fraction(Math.cbrt(prime)));
const rotate = (x, by) => (x >>> by) | (x << (32 - by));

function sha256(text) {
  const words = pad(text);
  const hash = [...START];
  const w = new Int32Array(64);
  for (let at = 0; at < words.length; at += 16) {
    for (let i = 0; i < 64; i++) {
      if (i < 16) {
        w[i] = words[at + i];
        continue;
      }
      const a = w[i - 15];
      const b = w[i - 2];
      const small = rotate(a, 7) ^ rotate(a, 18) ^ (a >>> 3);
      const large = rotate(b, 17) ^ rotate(b, 19) ^ (b >>> 10);
      w[i] = (w[i - 16] + small + w[i - 7] + large) | 0;
    }
    let [a, b, c, d, e, f, g, h] = hash;
    for (let i = 0; i < 64; i++) {
      const mixed = (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g));
      const one = (h + mixed + ROUND[i] + w[i]) | 0;
      const two = ((rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
    }
    [a, b, c, d, e, f, g, h].forEach((word, i) => (hash[i] = (hash[i] + word) | 0));
  }
  return hash;
}

function pad(text) {
  const words = new Int32Array((((text.length + 8) >> 6) + 1) * 16);
  for (let i = 0; i < text.length; i++) words[i >> 2] |= text.charCodeAt(i) << (24 - (i % 4) * 8);
  words[text.length >> 2] |= 0x80 << (24 - (text.length % 4) * 8);
  words[words.length - 1] = text.length * 8;
  return words;
}
