// Looks for a number that, behind a challenge, gives a hash with enough zero bits in front. Works in
// slices, so that the page stays usable. Needs nothing around it: the page that is sent while a
// network asks for too much has it inline (busy_page.py).

const SLICE = 12; // milliseconds

// Calls `done` with the solution, later; returns a function that gives up.
export function solve(challenge, bits, done) {
  let number = 0;
  let timer = setTimeout(look);
  function look() {
    const end = performance.now() + SLICE;
    do {
      const solution = `${challenge}:${number++}`;
      if (zeros(sha256(solution)) >= bits) return done(solution);
    } while (performance.now() < end);
    timer = setTimeout(look);
  }
  return () => clearTimeout(timer);
}

function zeros([first, second]) {
  return first ? Math.clz32(first) : 32 + Math.clz32(second);
}

// SHA-256 of FIPS 180-4: the browser's own cannot be asked on a page without https, nor so often.
const PRIMES = [];
for (let n = 2; PRIMES.length < 64; n++) if (PRIMES.every((prime) => n % prime)) PRIMES.push(n);
const fraction = (x) => ((x - Math.floor(x)) * 2 ** 32) | 0;
const START = PRIMES.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));
const ROUND = PRIMES.map((prime) => fraction(Math.cbrt(prime)));
const turn = (x, by) => (x >>> by) | (x << (32 - by));

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
      const small = turn(a, 7) ^ turn(a, 18) ^ (a >>> 3);
      const large = turn(b, 17) ^ turn(b, 19) ^ (b >>> 10);
      w[i] = (w[i - 16] + small + w[i - 7] + large) | 0;
    }
    let [a, b, c, d, e, f, g, h] = hash;
    for (let i = 0; i < 64; i++) {
      const mixed = (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g));
      const one = (h + mixed + ROUND[i] + w[i]) | 0;
      const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
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
