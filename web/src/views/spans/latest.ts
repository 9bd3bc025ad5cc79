// Answers of the server by what was asked: kept, asked once, the newest wish first.

type Load<Q, T> = (query: Q, signal: AbortSignal) => Promise<T>;

export class Latest<Q, T> {
  private readonly kept = new Map<string, T>();
  private readonly running = new Map<string, { promise: Promise<T | undefined>; abort: AbortController; idle: boolean }>();
  private readonly load: Load<Q, T>;
  private readonly failed: (error: unknown) => void;
  private readonly size: number;

  constructor(load: Load<Q, T>, failed: (error: unknown) => void, size = 48) {
    this.load = load;
    this.failed = failed;
    this.size = size;
  }

  get(query: Q): T | undefined {
    return this.kept.get(keyOf(query));
  }

  /** Asks for what is on the screen now; what was asked for before and is not there yet is given up. */
  want(query: Q): Promise<T | undefined> {
    const key = keyOf(query);
    for (const [other, run] of this.running) if (other !== key && !run.idle) run.abort.abort();
    const known = this.running.get(key);
    if (known) known.idle = false;
    return this.ask(query, false);
  }

  /** Asks for what may be on the screen next. */
  prefetch(query: Q): Promise<T | undefined> {
    return this.ask(query, true);
  }

  /** Asks again, although an answer is kept. */
  renew(query: Q): Promise<T | undefined> {
    return this.fetch(query, false);
  }

  clear(): void {
    for (const run of this.running.values()) run.abort.abort();
    this.kept.clear();
  }

  private ask(query: Q, idle: boolean): Promise<T | undefined> {
    const key = keyOf(query);
    const kept = this.kept.get(key);
    if (kept !== undefined) {
      this.keep(key, kept);
      return Promise.resolve(kept);
    }
    return this.fetch(query, idle);
  }

  private fetch(query: Q, idle: boolean): Promise<T | undefined> {
    const key = keyOf(query);
    const running = this.running.get(key);
    if (running && !running.abort.signal.aborted) return running.promise;
    const abort = new AbortController();
    const promise = this.load(query, abort.signal).then(
      (value) => {
        if (abort.signal.aborted) return undefined;
        this.keep(key, value);
        return value;
      },
      (error: unknown) => {
        if (!abort.signal.aborted && !idle) this.failed(error);
        return undefined;
      },
    ).finally(() => {
      if (this.running.get(key)?.abort === abort) this.running.delete(key);
    });
    this.running.set(key, { promise, abort, idle });
    return promise;
  }

  private keep(key: string, value: T): void {
    this.kept.delete(key);
    this.kept.set(key, value);
    for (const oldest of this.kept.keys()) {
      if (this.kept.size <= this.size) break;
      this.kept.delete(oldest);
    }
  }
}

const keyOf = (query: unknown): string => JSON.stringify(query);
