// Decisions on their way to the journal: kept in the browser until the server has acknowledged them,
// sent one batch after the other in the order in which they were made, again and again while the
// connection is lost, always under the same uuids.
import { signal } from "@preact/signals";
import { isTransient } from "../api.ts";
import { ApiError } from "../view.ts";
import type { Acknowledgement, EditJson } from "./wire.ts";

export interface Batch {
  /** Grows with every batch of this browser; the order in which they are sent. */
  order: number;
  /** Project and reader: a browser may hold decisions for several. */
  place: string;
  edits: EditJson[];
  question: string | null;
}

/** Where batches survive a reload and a killed browser. */
export interface Keep {
  load(place: string): Promise<Batch[]>;
  put(batch: Batch): Promise<void>;
  remove(batch: Batch): Promise<void>;
}

export interface OutboxEvents {
  acknowledged(batch: Batch, answer: Acknowledgement): void;
  /** The server will never take it: undo it on the screen and say so. */
  refused(batch: Batch, error: ApiError): void;
}

const RETRY_S = [0.5, 1, 2, 4, 8];

export class Outbox {
  /** Batches made and not acknowledged. */
  readonly waiting = signal(0);
  /** Why nothing gets through now; null while all is well. */
  readonly trouble = signal<ApiError | null>(null);
  /** False when the browser keeps nothing (private window, full disk): a reload would lose them. */
  readonly kept = signal(true);
  private readonly batches: Batch[] = [];
  private sending = false;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private tries = 0;
  private order = 0;
  private readonly post: (body: unknown) => Promise<Acknowledgement>;
  private readonly keep: Keep;
  private readonly place: string;
  private readonly events: OutboxEvents;

  constructor(post: (body: unknown) => Promise<Acknowledgement>, keep: Keep, place: string, events: OutboxEvents) {
    this.post = post;
    this.keep = keep;
    this.place = place;
    this.events = events;
  }

  /** Takes up what an earlier page left behind; returns it, so that it can be painted. */
  async open(): Promise<Batch[]> {
    let left: Batch[] = [];
    try {
      left = (await this.keep.load(this.place)).sort((a, b) => a.order - b.order);
    } catch {
      this.kept.value = false;
    }
    this.batches.unshift(...left);
    this.order = Math.max(this.order, ...left.map((batch) => batch.order), Date.now());
    this.count();
    void this.send();
    return left;
  }

  add(edits: EditJson[], question: string | null): Batch {
    this.order = Math.max(this.order + 1, Date.now());
    const batch = { order: this.order, place: this.place, edits, question };
    this.batches.push(batch);
    this.count();
    void this.keep.put(batch).catch(() => {
      this.kept.value = false;
    });
    void this.send();
    return batch;
  }

  /** Tries now, e.g. because the browser says that it is online again. */
  wake(): void {
    clearTimeout(this.retry);
    this.retry = undefined;
    this.tries = 0;
    void this.send();
  }

  /** Stops sending: the page goes on under another reader's name. */
  close(): void {
    clearTimeout(this.retry);
    this.sending = true;
  }

  private count(): void {
    this.waiting.value = this.batches.length;
  }

  private async send(): Promise<void> {
    if (this.sending || this.retry !== undefined) return;
    this.sending = true;
    try {
      for (let batch = this.batches[0]; batch; batch = this.batches[0]) {
        if (!(await this.sendOne(batch))) return;
      }
    } finally {
      this.sending = false;
    }
  }

  /** True when the batch is settled, one way or the other. */
  private async sendOne(batch: Batch): Promise<boolean> {
    try {
      const answer = await this.post({ edits: batch.edits, ...(batch.question ? { question: batch.question } : {}) });
      this.settle(batch);
      this.events.acknowledged(batch, answer);
    } catch (error) {
      const known = error instanceof ApiError ? error : new ApiError(0, "an answer of the server", String(error), "It is tried again.");
      if (isTransient(known) || known.status === 401 || known.status === 403) {
        this.later(known);
        return false;
      }
      this.settle(batch);
      this.events.refused(batch, known);
    }
    return true;
  }

  private settle(batch: Batch): void {
    this.trouble.value = null;
    this.tries = 0;
    this.batches.splice(this.batches.indexOf(batch), 1);
    this.count();
    void this.keep.remove(batch).catch(() => undefined);
  }

  private later(error: ApiError): void {
    this.trouble.value = error;
    const wait_s = RETRY_S[Math.min(this.tries, RETRY_S.length - 1)]!;
    this.tries += 1;
    this.retry = setTimeout(() => {
      this.retry = undefined;
      void this.send();
    }, wait_s * 1000);
  }
}
