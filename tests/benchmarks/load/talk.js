// A stretch of conversation: numbered messages go out at a steady rate, whatever comes back, and
// each arrival on each screen is timed by the one clock of this process.

import { monitorEventLoopDelay } from "node:perf_hooks";

const TICK = 5; // milliseconds

let numbers = 0; // no number is used twice, so that what is late does not look like something else

export class Talk {
  constructor(screens, { rate, seconds, speakers, filler, patience }) {
    this.screens = screens;
    this.rate = rate;
    this.seconds = seconds;
    this.speakers = speakers;
    this.filler = filler || "the quick brown fox jumps over the lazy dog";
    this.patience = patience * 1000;
    this.first = numbers + 1;
    this.sentAt = [];
    this.latencies = [];
    this.inRoom = new Map();
    this.arrived = new Map(screens.map((screen) => [screen, new Set()]));
    this.expected = 0;
    this.doubled = 0;
    for (const { room } of screens) this.inRoom.set(room, (this.inRoom.get(room) || 0) + 1);
  }

  async run() {
    const delay = monitorEventLoopDelay({ resolution: 5 });
    delay.enable();
    const started = performance.now();
    const processor = process.cpuUsage();
    await this.say(started);
    await this.hear();
    const { user, system } = process.cpuUsage(processor);
    const elapsed = performance.now() - started;
    delay.disable();
    const missing = this.expected - this.latencies.length;
    const late = Array.from({ length: missing }, () => this.patience); // so late at the least
    const sorted = Float64Array.from([...this.latencies, ...late]).sort();
    return {
      posted: this.sentAt.length,
      deliveries: this.latencies.length,
      missing,
      doubled: this.doubled,
      p50: quantile(sorted, 0.5),
      p99: quantile(sorted, 0.99),
      max: quantile(sorted, 1),
      seconds: elapsed / 1000,
      share: (user + system) / 1000 / elapsed, // of one processor, by this generator
      lag: delay.percentile(99) / 1e6 - 5,
    };
  }

  async say(started) {
    const count = Math.round(this.rate * this.seconds);
    await new Promise((resolve) => {
      const timer = setInterval(() => {
        const due = Math.min(count, Math.floor(((performance.now() - started) / 1000) * this.rate) + 1);
        while (this.sentAt.length < due) this.post();
        if (this.sentAt.length < count) return;
        clearInterval(timer);
        resolve();
      }, TICK);
    });
  }

  post() {
    const speaker = this.speakers[this.sentAt.length % this.speakers.length];
    numbers += 1;
    this.expected += this.inRoom.get(speaker.room);
    this.sentAt.push(performance.now());
    speaker.post(`no. ${numbers}: ${this.filler}`);
  }

  arrive(screen, number) {
    const sentAt = this.sentAt[number - this.first];
    const arrived = this.arrived.get(screen);
    if (sentAt === undefined || !arrived) return; // of an earlier stretch, or not listened to
    if (arrived.has(number)) {
      this.doubled += 1;
      return;
    }
    arrived.add(number);
    this.latencies.push(performance.now() - sentAt);
  }

  async hear() {
    const deadline = performance.now() + this.patience;
    while (this.latencies.length < this.expected && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, TICK));
    }
  }
}

function quantile(sorted, share) {
  return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] : null;
}
