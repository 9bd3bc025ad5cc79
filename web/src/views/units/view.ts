// Puts the panels together: which unit is shown, beside which neighbour, and what is planned.
import { effect } from "@preact/signals";
import type { Command, DraftEdit, QueueEntry, View, ViewContext } from "../../view.ts";
import { ApiError } from "../../view.ts";
import { CloudPanel } from "./clouds.ts";
import { CUT_HELP, readCut } from "./commands.ts";
import type { Cut, Likeness, PairData, UnitData } from "./data.ts";
import { UnitStore } from "./data.ts";
import { element } from "./dom.ts";
import { ExplainedPanel, fitting } from "./explained.ts";
import { CorrelogramsPanel, RatePanel } from "./plots.ts";
import { SnippetPanel } from "./snippet.ts";
import { MetricsPanel, NeighboursPanel } from "./tables.ts";
import { WaveformsPanel } from "./waveforms.ts";
import type { Plan } from "./workspace.ts";
import { WorkspacePanel } from "./workspace.ts";
import "./units.css";

const POLL_MS = 3000;
const FITTING_MS = 700;

const after = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const nextFrame = () => new Promise<void>((resolve) => requestAnimationFrame(() => resolve()));

export class UnitsView implements View {
  private context!: ViewContext;
  private store!: UnitStore;
  private readonly root = element("div", { class: "units" });
  private readonly message = element("p", { class: "unit-message", role: "status" });
  private readonly waveforms = new WaveformsPanel();
  private readonly neighbours = new NeighboursPanel((item) => void this.choose(item), (item) => this.context.goto(item));
  private readonly amplitudes = this.cloud("cloud-time", "Amplitude over time", "time_s", "amplitude");
  private readonly features = this.cloud("cloud-shape", "Shape of spikes", "pc1", "pc2");
  private readonly snippet = new SnippetPanel((by) => void this.step(by));
  private readonly correlograms = new CorrelogramsPanel();
  private readonly rate = new RatePanel();
  private readonly metrics = new MetricsPanel(() => this.toggleExplained());
  private readonly explained = new ExplainedPanel(() => this.toggleExplained());
  private readonly workspace = new WorkspacePanel({
    apply: () => this.apply(), close: () => this.close(), open: (one) => void this.openProposal(one),
    ask: () => void this.askMerges(), cut: () => void this.sorterCut(),
  });

  private item: number | null = null;
  private unit: UnitData | undefined;
  private pair: PairData | undefined;
  private marked = new Set<number>();
  private spike = 0;
  private open = false;
  private plan: Plan | null = null;
  private merges: Likeness[] | null = null;
  private explaining = false;
  private told = 0;
  private asked = 0;
  private planned = 0;
  private cut: Cut | null = null;
  private wanted: number | null = null;
  private known = "";
  private timer: ReturnType<typeof setTimeout> | undefined;
  private stops: Array<() => void> = [];

  mount(root: HTMLElement, context: ViewContext): void {
    this.context = context;
    this.store = new UnitStore(context);
    const column = (name: string, ...parts: HTMLElement[]) => element("div", { class: `unit-column unit-column-${name}` }, ...parts);
    this.root.append(
      this.message,
      column("left", this.waveforms.root, this.neighbours.root),
      column("middle", this.amplitudes.root, this.features.root, this.explained.root, this.snippet.root),
      column("right", this.correlograms.root, this.rate.root, this.metrics.root, this.workspace.root),
    );
    root.append(this.root);
    this.layout();
    this.stops = [
      effect(() => {
        void context.theme.value;
        requestAnimationFrame(() => this.repaint());
      }),
      effect(() => {
        const table = context.items.value;
        if (!table) return;
        const counts = table.has("n_spikes") ? Array.from(table.numbers("n_spikes")) : [];
        const now = `${Array.from(table.numbers("item")).join()} ${counts.join()}`;
        const changed = this.known !== "" && this.known !== now;
        this.known = now;
        if (changed) void this.reload();
      }),
    ];
  }

  async show(entry: QueueEntry): Promise<void> {
    if (entry.item !== this.item) {
      this.marked = new Set();
      this.wanted = null;
      this.spike = -1;
      this.dropPlan();
    }
    this.wanted = entry.beside ?? this.wanted;
    this.item = entry.item;
    await this.load();
    if (entry.policy === "split") {
      this.context.announce(`${this.context.keys.keyOf("sorter-cut") ?? "/sorter-cut"} shows where the sorter would cut unit ${entry.item}.`);
    }
  }

  prefetch(entry: QueueEntry): void {
    void (async () => {
      const unit = await this.store.unit(entry.item);
      await this.store.pair(entry.item, entry.beside ?? unit.similar[0]?.b ?? null);
      await this.store.snippet(entry.item, middle(unit));
    })().catch(() => undefined); // shown when the entry is
  }

  unmount(): void {
    clearTimeout(this.timer);
    this.told++;
    for (const stop of this.stops) stop();
    for (const part of this.parts()) part.destroy();
    this.root.remove();
  }

  commands(): Command[] {
    return [
      { name: "neighbour-next", help: "Compare with the next neighbour", key: "ArrowDown", run: () => this.walk(1) },
      { name: "neighbour-before", help: "Compare with the neighbour before", key: "ArrowUp", run: () => this.walk(-1) },
      { name: "neighbour-mark", help: "Mark the neighbour, to merge several", key: "b", run: () => this.mark() },
      { name: "neighbour-open", help: "Go to the neighbour", key: "Enter", run: () => {
        if (this.pair && this.pair.beside !== null) this.context.goto(this.pair.beside);
      } },
      { name: "merge", help: "Merge with the marked neighbours, or the one compared; `/merge 3 7`", key: "g", run: (rest) => this.merge(rest) },
      { name: "split", help: `Split by the lasso; ${CUT_HELP}`, key: "k", run: (rest) => this.split(rest) },
      { name: "sorter-cut", help: "Split where the sorter sees two heaps of spikes", key: "c", run: () => this.sorterCut() },
      { name: "explain", help: "Why the sorter gave the unit these spikes", key: "e", run: () => this.toggleExplained() },
      { name: "workspace", help: "Merge workspace: before, after, likely merges", key: "m", run: () => (this.open ? this.close() : this.openWorkspace()) },
      { name: "ask-merges", help: "Put all likely merges and splits into the queue", run: () => this.askMerges() },
      { name: "leave", help: "Close the workspace and the explanation, drop the lasso", key: "Escape", run: () => this.leave() },
      { name: "spike-before", help: "Recording: the spike before", key: "[", run: () => this.step(-1) },
      { name: "spike-after", help: "Recording: the spike after", key: "]", run: () => this.step(1) },
    ];
  }

  private cloud(name: string, title: string, x: string, y: string): CloudPanel {
    return new CloudPanel({ name, title, x, y, onCut: (cut) => void this.cutDrawn(cut) });
  }

  private parts() {
    return [this.waveforms, this.amplitudes, this.features, this.snippet, this.correlograms, this.rate];
  }

  private repaint(): void {
    for (const part of this.parts()) part.repaint();
  }

  /** Fetches and paints the item; what was asked for later wins. */
  private async load(): Promise<void> {
    const item = this.item;
    if (item === null) return;
    const turn = ++this.asked;
    try {
      const unit = await this.store.unit(item);
      const near = unit.similar.map((one) => one.b);
      const beside = this.wanted !== null && near.includes(this.wanted) ? this.wanted : near[0] ?? null;
      const pair = await this.store.pair(item, beside);
      if (turn !== this.asked) return;
      this.message.textContent = "";
      this.root.classList.remove("unit-gone");
      [this.unit, this.pair] = [unit, pair];
      this.paint();
      void this.paintSnippet().catch(() => undefined); // a lost connection is told by load()
      if (this.explaining) void this.explain();
      this.poll(unit);
    } catch (error) {
      if (turn !== this.asked) return;
      if (!(error instanceof ApiError) || error.status !== 409) throw error;
      this.root.classList.add("unit-gone");
      this.message.textContent = `Unit ${item} has no spikes any more: it was merged, split or removed. Undo brings it back.`;
    }
    await nextFrame();
  }

  private paint(): void {
    const { unit, pair } = this;
    if (!unit || !pair) return;
    this.root.dataset.unit = String(unit.item); // whose pictures these are
    this.waveforms.paint(pair.templates);
    this.neighbours.paint(unit.similar, pair.beside, this.marked);
    this.amplitudes.paint(pair.spikes, unit.item);
    this.features.paint(pair.spikes, unit.item);
    this.correlograms.paint(pair.correlograms, unit.item, pair.beside);
    this.rate.paint(unit.rate);
    this.metrics.paint(unit.card);
    if (this.plan?.kind === "split") this.showPart(this.plan.preview.rows);
  }

  /** Waveforms may still be on their way from the recording: look again in a while. */
  private poll(unit: UnitData): void {
    clearTimeout(this.timer);
    if (unit.card.waveforms !== "reading" && unit.card.recording !== "reading") return;
    this.timer = setTimeout(() => {
      this.store.clear();
      void this.load().catch(() => undefined);
    }, POLL_MS);
  }

  /** The units changed: what is known of them is void. */
  private async reload(): Promise<void> {
    const { cut, item } = this;
    this.store.clear();
    this.merges = null;
    this.dropPlan();
    this.marked = new Set();
    const turn = this.planned;
    if (this.item !== null) await this.load();
    if (turn !== this.planned) return; // something was planned meanwhile
    if (cut && item === this.item) await this.cutDrawn(cut); // asked of units that are no more
    else if (this.open) await this.openWorkspace();
  }

  private async paintSnippet(): Promise<void> {
    const { unit, item } = this;
    if (!unit || item === null) return;
    if (this.spike < 0) this.spike = middle(unit);
    const traces = await this.store.snippet(item, this.spike);
    if (item !== this.item) return;
    if (traces.data.length) this.snippet.paint(traces, item, this.pair?.beside ?? null);
    else {
      this.snippet.say(traces.meta.recording === "reading" ? "The recording is being opened."
        : "The recording is not at hand: only what was kept of it can be shown.");
    }
  }

  private async step(by: number): Promise<void> {
    if (!this.unit) return;
    this.spike = Math.min(Math.max(this.spike + by, 0), this.unit.card.n_spikes - 1);
    await this.paintSnippet();
  }

  private async walk(by: number): Promise<void> {
    const near = this.unit?.similar ?? [];
    if (!near.length) return;
    const now = near.findIndex((one) => one.b === this.pair?.beside);
    await this.choose(near[(now + by + near.length) % near.length]!.b);
  }

  private async choose(beside: number): Promise<void> {
    this.wanted = beside;
    await this.load();
    this.snippet.compare(beside);
    this.context.announce(this.unit?.similar.find((one) => one.b === beside)?.sentence ?? "");
    if (this.open) await this.planMerge();
  }

  private mark(): void {
    const beside = this.pair?.beside;
    if (beside === null || beside === undefined || !this.unit) return;
    if (!this.marked.delete(beside)) this.marked.add(beside);
    this.neighbours.paint(this.unit.similar, beside, this.marked);
    this.context.announce(`${this.marked.size} marked to merge with unit ${this.item}.`);
    if (this.open) void this.planMerge();
  }

  private toMerge(): number[] {
    const beside = this.pair?.beside;
    const others = this.marked.size ? [...this.marked] : beside === null || beside === undefined ? [] : [beside];
    return this.item === null || !others.length ? [] : [this.item, ...others].sort((a, b) => a - b);
  }

  private merge(rest: string): void {
    const named = rest.trim() ? rest.trim().split(/[\s,]+/).map(Number) : [];
    if (named.some((item) => !Number.isInteger(item))) {
      this.context.announce("`/merge 3 7` merges units 3 and 7 with the one shown.");
      return;
    }
    const items = named.length && this.item !== null ? [...new Set([this.item, ...named])].sort((a, b) => a - b) : this.toMerge();
    if (items.length < 2) {
      this.context.announce("There is no neighbour to merge with.");
      return;
    }
    const [kept, ...gone] = items;
    const optimistic: DraftEdit["optimistic"] = gone.map((item) => [item, { state: "removed" as const }]);
    this.context.decide([{ kind: "merge", items, payload: {}, optimistic }, ...this.withoutClass(gone)]);
    this.context.announce(`Units ${items.join(", ")} are one: unit ${kept}.`);
    this.dropPlan();
    this.marked = new Set();
    if (kept !== undefined && kept !== this.item) this.context.goto(kept);
  }

  /** A unit that went into another has no class of its own any more. */
  private withoutClass(gone: readonly number[]): DraftEdit[] {
    const base = this.context.desk.classes;
    const items = gone.map((item) => this.context.state(item)?.class_item ?? null).filter((item) => item !== null);
    return base !== null && items.length ? [{ kind: "reject", base, items, payload: {} }] : [];
  }

  private async split(rest: string): Promise<void> {
    if (rest.trim()) {
      const cut = readCut(rest);
      if (!cut) this.context.announce(`This is no threshold. ${CUT_HELP}.`);
      else await this.cutDrawn(cut);
    } else if (this.plan?.kind === "split") this.apply();
    else this.context.announce(`Draw a lasso around the spikes of the new unit, or type ${CUT_HELP}.`);
  }

  private async cutDrawn(cut: Cut | null): Promise<void> {
    if (this.item === null) return;
    this.cut = cut;
    if (!cut) {
      if (this.plan?.kind === "split") this.dropPlan();
      return;
    }
    const item = this.item;
    const beside = this.pair && this.pair.beside !== null ? [this.pair.beside] : [];
    await this.showPlan("Placing every spike of the unit …", async () => ({
      kind: "split" as const, items: [item], preview: await this.store.previewSplit(item, cut, beside),
    }));
    this.showSplit("the lasso");
  }

  /** The split that the sorter itself sees, which is computed on demand. */
  private async sorterCut(): Promise<void> {
    const item = this.item;
    if (item === null) return;
    this.cut = null;
    let told = "";
    await this.showPlan("The sorter is asked where it would cut …", async () => {
      const turn = this.planned;
      let found = await this.store.sorterCut(item);
      while (found.state === "fitting" && turn === this.planned) {
        this.workspace.wait(fitting(found.stage, found.done));
        await after(FITTING_MS);
        if (turn === this.planned) found = await this.store.sorterCut(item);
      }
      if (found.state === "ready") told = `To the sorter these are two neurons with a probability of ${Math.round(100 * found.probability)} %. `;
      const preview = found.state === "ready" ? await this.store.previewRows(item, found.rows)
        : { before: [], after: [], rows: null }; // something else was asked for meanwhile
      return { kind: "split" as const, items: [item], preview };
    });
    this.showSplit("the cut", told);
  }

  private showSplit(what: string, before = ""): void {
    const n = this.plan?.preview.rows?.length;
    if (n === undefined || this.plan?.kind !== "split") return;
    this.showPart(this.plan.preview.rows);
    const key = this.context.keys.keyOf("split") ?? "k";
    this.context.announce(`${before}${key} makes a new unit of ${n.toLocaleString("en")} spikes; Escape drops ${what}.`);
  }

  private async planMerge(): Promise<void> {
    const items = this.toMerge();
    if (items.length < 2) {
      this.workspace.paint(null, this.merges);
      return;
    }
    await this.showPlan("Computing the merged unit …", async () => ({
      kind: "merge" as const, items, preview: await this.store.previewMerge(items),
    }));
  }

  /** Opens the workspace on a plan; a plan asked for later wins. */
  private async showPlan(text: string, make: () => Promise<Plan>): Promise<void> {
    const turn = ++this.planned;
    this.open = true;
    this.layout();
    this.workspace.wait(text);
    try {
      const plan = await make();
      if (turn !== this.planned) return;
      this.plan = plan;
    } catch (error) {
      if (turn !== this.planned) return;
      if (!(error instanceof ApiError)) throw error;
      this.plan = null;
      this.context.announce(error.message);
    }
    this.workspace.paint(this.plan, this.merges);
  }

  private async openWorkspace(): Promise<void> {
    this.open = true;
    this.layout();
    const asked = this.store.merges().then((merges) => { this.merges = merges; });
    await Promise.all([asked, this.planMerge()]);
    this.workspace.paint(this.plan, this.merges);
  }

  private async openProposal(one: Likeness): Promise<void> {
    this.wanted = one.b;
    if (this.item !== one.a) {
      this.context.goto(one.a);
      return;
    }
    await this.choose(one.b);
  }

  private async askMerges(): Promise<void> {
    try {
      const { asked } = await this.store.askMerges();
      this.context.announce(asked ? `${asked} pairs are in the queue.` : "All of them are in the queue already.");
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.context.announce(error.message);
    }
  }

  private apply(): void {
    const { plan } = this;
    if (!plan) return;
    if (plan.kind === "merge") {
      this.merge("");
      return;
    }
    const [item] = plan.items;
    const rows = plan.preview.rows ?? [];
    if (item === undefined || !rows.length) return;
    this.context.decide([{ kind: "split", items: [item], payload: { rows: [rows] } }]);
    this.context.announce(`${rows.length.toLocaleString("en")} spikes of unit ${item} are a unit of their own.`);
    this.close();
  }

  private toggleExplained(): void {
    this.explaining = !this.explaining;
    this.layout();
    if (this.explaining) void this.explain();
    else this.told++;
  }

  /** Asks until the sorter is there; what was asked for later wins. */
  private async explain(): Promise<void> {
    const item = this.item;
    const turn = ++this.told;
    if (item === null) return;
    this.explained.wait(`Unit ${item} is being explained …`);
    try {
      let told = await this.store.explained(item);
      while (told.state === "fitting") {
        if (turn !== this.told) return;
        this.explained.wait(fitting(told.stage, told.done));
        await after(FITTING_MS);
        if (turn !== this.told) return;
        told = await this.store.explained(item);
      }
      if (turn === this.told) this.explained.paint(told);
    } catch (error) {
      if (turn !== this.told) return;
      if (!(error instanceof ApiError)) throw error;
      this.explained.fail(error.message);
    }
  }

  private leave(): void {
    if (this.explaining) this.toggleExplained();
    this.close();
  }

  private close(): void {
    this.open = false;
    this.dropPlan();
    this.layout();
  }

  private dropPlan(): void {
    this.planned++;
    this.cut = null;
    if (this.plan?.kind === "split") this.showPart(null);
    this.plan = null;
    if (this.open) this.workspace.paint(null, this.merges);
  }

  private showPart(rows: readonly number[] | null): void {
    this.amplitudes.mark(rows);
    this.features.mark(rows);
  }

  private layout(): void {
    this.root.classList.toggle("unit-planning", this.open);
    this.root.classList.toggle("unit-explaining", this.explaining);
  }
}

/** The how-manieth spike is shown first: one from the middle of the recording. */
function middle(unit: UnitData): number {
  return Math.floor(unit.card.n_spikes / 2);
}
