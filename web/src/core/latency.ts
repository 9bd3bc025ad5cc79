// From key press to the next item on the screen, for the benchmark: window.__nissl.latencies.
export interface Latency {
  name: string;
  /** Milliseconds from the key's own time stamp to the frame after the paint. */
  ms: number;
}

const latencies: Latency[] = [];
const latest: { name: string; at: number }[] = [];

export function keyPressed(name: string, at: number): void {
  latest.splice(0, latest.length, { name, at });
}

/** Call when the next item's DOM is written; the time is taken once the frame is out. */
export function painted(): void {
  const press = latest.pop();
  if (!press) return;
  requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      const ms = performance.now() - press.at;
      latencies.push({ name: press.name, ms });
      performance.measure(`nissl:${press.name}`, { start: press.at, duration: ms });
      channel.port1.close();
    };
    channel.port2.postMessage(null);
  });
}

export function exposeLatencies(more: Record<string, unknown>): void {
  Object.assign(window, { __nissl: { latencies, ...more } });
}
