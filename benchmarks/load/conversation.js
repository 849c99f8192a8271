// An interval of conversation: posts numbered messages at a steady rate, without waiting for
// deliveries, and measures the latency on each screen by the clock of this process.

import { monitorEventLoopDelay } from "node:perf_hooks";

const TICK = 5; // milliseconds

let lastNumber = 0; // numbers are unique, so that late deliveries are not counted in another interval

export class Conversation {
  constructor(screens, { rate, seconds, speakers, filler, maxSeconds }) {
    this.screens = screens;
    this.rate = rate;
    this.seconds = seconds;
    this.speakers = speakers;
    this.filler = filler || "the quick brown fox jumps over the lazy dog";
    this.timeout = maxSeconds * 1000;
    this.first = lastNumber + 1;
    this.sentAt = [];
    this.latencies = [];
    this.screensInRoom = new Map();
    this.received = new Map(screens.map((screen) => [screen, new Set()]));
    this.expected = 0;
    this.doubled = 0;
    for (const { room } of screens) this.screensInRoom.set(room, (this.screensInRoom.get(room) || 0) + 1);
  }

  async run() {
    const delay = monitorEventLoopDelay({ resolution: 5 });
    delay.enable();
    const started = performance.now();
    const processor = process.cpuUsage();
    await this.postAll(started);
    await this.waitForDeliveries();
    const { user, system } = process.cpuUsage(processor);
    const elapsed = performance.now() - started;
    delay.disable();
    const missing = this.expected - this.latencies.length;
    const late = Array.from({ length: missing }, () => this.timeout); // their minimum latency
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
      share: (user + system) / 1000 / elapsed, // of one processor, used by this process
      lag: delay.percentile(99) / 1e6 - 5,
    };
  }

  async postAll(started) {
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
    lastNumber += 1;
    this.expected += this.screensInRoom.get(speaker.room);
    this.sentAt.push(performance.now());
    speaker.post(`no. ${lastNumber}: ${this.filler}`);
  }

  receive(screen, number) {
    const sentAt = this.sentAt[number - this.first];
    const received = this.received.get(screen);
    if (sentAt === undefined || !received) return; // of an earlier interval, or of an inactive screen
    if (received.has(number)) {
      this.doubled += 1;
      return;
    }
    received.add(number);
    this.latencies.push(performance.now() - sentAt);
  }

  async waitForDeliveries() {
    const deadline = performance.now() + this.timeout;
    while (this.latencies.length < this.expected && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, TICK));
    }
  }
}

function quantile(sorted, share) {
  return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] : null;
}
