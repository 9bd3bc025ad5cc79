// Gathers what is wanted in one turn of the event loop into one request, and keeps the answers.

type Waiting<T> = { resolve: (value: T) => void; reject: (error: unknown) => void };

export class Batcher<T> {
  private readonly fetch: (keys: number[]) => Promise<T[]>;
  private readonly most: number;
  private readonly known = new Map<number, Promise<T>>();
  private waiting = new Map<number, Waiting<T>>();

  /** `fetch` answers for each key, in their order; `most` answers are kept. */
  constructor(fetch: (keys: number[]) => Promise<T[]>, most = 500) {
    this.fetch = fetch;
    this.most = most;
  }

  get(key: number): Promise<T> {
    const known = this.known.get(key);
    if (known) return known;
    const asked = new Promise<T>((resolve, reject) => {
      if (!this.waiting.size) queueMicrotask(() => void this.flush());
      this.waiting.set(key, { resolve, reject });
    });
    this.known.set(key, asked);
    asked.catch(() => this.forget(key)); // ask again next time
    while (this.known.size > this.most) this.known.delete(this.known.keys().next().value!);
    return asked;
  }

  has(key: number): boolean {
    return this.known.has(key);
  }

  forget(key: number): void {
    this.known.delete(key);
  }

  clear(): void {
    this.known.clear();
  }

  private async flush(): Promise<void> {
    const waiting = this.waiting;
    this.waiting = new Map();
    const keys = [...waiting.keys()];
    try {
      const found = await this.fetch(keys);
      keys.forEach((key, k) => waiting.get(key)!.resolve(found[k]!));
    } catch (error) {
      if (keys.length === 1) return waiting.get(keys[0]!)!.reject(error);
      for (const key of keys) { // one that is gone must not take the others with it
        this.fetch([key]).then(([one]) => waiting.get(key)!.resolve(one!), waiting.get(key)!.reject);
      }
    }
  }
}

/**
 * Of keys that will be wanted, soonest first, those to ask for now: none while the next few are there and
 * only few are missing, so that they go out together.
 */
export function worthAsking(keys: readonly number[], has: (key: number) => boolean, near = 5, enough = 8): number[] {
  const missing = keys.filter((key) => !has(key));
  return missing.length >= enough || keys.slice(0, near).some((key) => !has(key)) ? missing : [];
}
