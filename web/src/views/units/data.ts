// What the view shows of one unit, fetched once and kept while the units stay as they are.
import type { Columns, NdArray, ViewContext } from "../../view.ts";

export interface Fact {
  name: string;
  value: number | string | null;
  unit: string;
  text: string;
  limit: number | null;
  above: boolean | null;
  doubt: string | null;
}

export interface Card {
  item: number;
  facts: Fact[];
  channel: number | null;
  acg: Array<number | null> | null;
  wave: Array<number | null> | null;
}

export interface UnitCard extends Card {
  n_spikes: number;
  /** Of the kept sample of waveforms, and of the recording itself. */
  waveforms: "reading" | "ready" | "none";
  recording: "reading" | "ready" | "none";
}

export interface Likeness {
  a: number;
  b: number;
  similarity: number | null;
  shift: number;
  observed: number;
  expected: number;
  refractory: number;
  score: number;
  sentence: string;
}

export interface Preview {
  before: Card[];
  after: Card[];
  /** Ids of the rows of the new unit, for a split. */
  rows: number[] | null;
}

/** A lasso on two axes of the scatter, or a threshold on one. */
export interface Cut {
  x: string;
  y?: string;
  corners?: Array<[number, number]>;
  threshold?: number;
  above?: boolean;
}

/** What `nissl explain` says of a unit, or what the server is at until it can. */
export interface Explained {
  state: "ready";
  item: number;
  sentences: string[];
  warnings: string[];
  /** Addresses of pictures (`data:`). */
  pictures: string[];
}

export interface Fitting {
  state: "fitting";
  stage: string;
  done: number | null;
}

/** Row ids of the spikes that the sorter would split off. */
export interface SorterCut {
  state: "ready";
  rows: number[];
  /** Of two neurons. */
  probability: number;
}

/** What belongs to a unit whoever it is compared with. */
export interface UnitData {
  item: number;
  card: UnitCard;
  similar: Likeness[];
  rate: NdArray;
}

/** What belongs to a unit beside the neighbour that it is compared with. */
export interface PairData {
  item: number;
  beside: number | null;
  templates: NdArray;
  correlograms: NdArray;
  spikes: Columns;
}

const KEPT = 80;
const N_SIMILAR = 10;

export class UnitStore {
  private readonly context: ViewContext;
  private readonly known = new Map<string, Promise<unknown>>();

  constructor(context: ViewContext) {
    this.context = context;
  }

  /** Forgets everything: the units have changed. */
  clear(): void {
    this.known.clear();
  }

  forget(item: number): void {
    for (const key of [...this.known.keys()]) {
      if (key.split(" ").slice(1, 3).includes(String(item))) this.known.delete(key);
    }
  }

  unit(item: number): Promise<UnitData> {
    return this.once(`unit ${item}`, async () => {
      const { api } = this.context;
      const [card, similar, rate] = await Promise.all([
        api.json<UnitCard>(this.path(`${item}`)),
        api.json<{ similar: Likeness[] }>(this.path(`${item}/similar`), { n: N_SIMILAR }),
        api.array(this.path(`${item}/rate`)),
      ]);
      return { item, card, similar: similar.similar, rate };
    });
  }

  pair(item: number, beside: number | null): Promise<PairData> {
    return this.once(`pair ${item} ${beside ?? ""}`, async () => {
      const { api } = this.context;
      const items = beside === null ? `${item}` : `${item},${beside}`;
      const [templates, correlograms, spikes] = await Promise.all([
        api.array(this.path("templates"), { items }),
        api.array(this.path("correlograms"), { items }),
        api.table(this.path(`${item}/spikes`), { beside: beside ?? "" }),
      ]);
      return { item, beside, templates, correlograms, spikes };
    });
  }

  snippet(item: number, spike: number): Promise<NdArray> {
    return this.once(`snippet ${item} ${spike}`, () =>
      this.context.api.array(this.path(`${item}/snippet`), { spike, window_ms: 30 }));
  }

  /** Not kept here: the server remembers what it has explained. */
  explained(item: number): Promise<Explained | Fitting> {
    return this.context.api.json(this.path(`${item}/explained`));
  }

  sorterCut(item: number): Promise<SorterCut | Fitting> {
    return this.context.api.json(this.path(`${item}/cut`));
  }

  previewRows(item: number, rows: number[]): Promise<Preview> {
    return this.context.api.post(this.path("preview"), { kind: "split", items: [item], rows });
  }

  merges(): Promise<Likeness[]> {
    return this.once("merges", async () =>
      (await this.context.api.json<{ merges: Likeness[] }>(this.path("merges"))).merges);
  }

  askMerges(): Promise<{ asked: number }> {
    return this.context.api.post(this.path("merges/ask"), {});
  }

  previewMerge(items: number[]): Promise<Preview> {
    return this.context.api.post(this.path("preview"), { kind: "merge", items });
  }

  previewSplit(item: number, cut: Cut, beside: number[]): Promise<Preview> {
    return this.context.api.post(this.path("preview"), { kind: "split", items: [item], cut, beside });
  }

  private path(rest: string): string {
    return `desks/${this.context.desk.key}/units/${rest}`;
  }

  private once<T>(key: string, fetch: () => Promise<T>): Promise<T> {
    const known = this.known.get(key) as Promise<T> | undefined;
    if (known) return known;
    const asked = fetch();
    this.known.set(key, asked);
    asked.catch(() => this.known.delete(key)); // ask again next time
    while (this.known.size > KEPT * 2) this.known.delete(this.known.keys().next().value!);
    return asked;
  }
}
