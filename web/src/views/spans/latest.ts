// Answers of the server by what was asked: kept, asked once, the newest wish first.

const ON_THEIR_WAY = 2;

type Load<Q, T> = (query: Q, signal: AbortSignal) => Promise<T>;

export class Latest<Q, T> {
  private readonly kept = new Map<string, T>();
  private readonly running = new Map<string, { promise: Promise<T | undefined>; abort: AbortController; idle: boolean }>();
  private waiting: { query: Q; done: (value: T | undefined) => void } | undefined;
  private readonly load: Load<Q, T>;
  private readonly failed: (error: unknown) => void;
  private readonly size: number;

  constructor(load: Load<Q, T>, failed: (error: unknown) => void, size = 24) {
    this.load = load;
    this.failed = failed;
    this.size = size;
  }

  get(query: Q): T | undefined {
    return this.kept.get(keyOf(query));
  }

  /** Asks for what is on the screen now. While a page is moved wishes come faster than answers: a
   * few are on their way at a time, so that something always arrives, and of those that wait only
   * the newest is asked; the others get undefined. */
  want(query: Q): Promise<T | undefined> {
    const key = keyOf(query);
    this.waiting?.done(undefined);
    this.waiting = undefined;
    const known = this.running.get(key);
    if (known) known.idle = false;
    const busy = [...this.running.values()].filter((run) => !run.idle).length;
    if (known || this.kept.has(key) || busy < ON_THEIR_WAY) return this.ask(query, false);
    return new Promise((done) => { this.waiting = { query, done }; });
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
    this.waiting?.done(undefined);
    this.waiting = undefined;
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
      const next = this.waiting;
      if (!next) return;
      this.waiting = undefined;
      void this.ask(next.query, false).then(next.done);
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
