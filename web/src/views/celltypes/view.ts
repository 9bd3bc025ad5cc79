// Puts the panels together: which unit is shown, which class it is compared with, what may be told.
import { effect } from "@preact/signals";
import { h, render } from "preact";
import type { Command, QueueEntry, View, ViewContext } from "../../view.ts";
import { ApiError } from "../../view.ts";
import { element } from "../units/dom.ts";
import { worthAsking } from "./batcher.ts";
import { Chances, isUnknown } from "./chances.tsx";
import { HeatPanel, LinesPanel } from "./correlograms.ts";
import type { Axes, Curves, Exemplar, Facts, WhyAnswer } from "./data.ts";
import { UnitStore, readAxes, readExemplars } from "./data.ts";
import { MapPanel } from "./map.ts";
import { lighter } from "./plot.ts";
import { Reasons } from "./reasons.tsx";
import type { Shown } from "./shown.ts";
import { chosen } from "./shown.ts";
import { ProbePanel, WaveformPanel } from "./waveform.ts";
import "./celltypes.css";

/** A unit is looked at for so long before the server is asked for reasons. */
const WHY_MS = 120;
const UNKNOWN_COLOUR = "#8a8f98";

export class CelltypesView implements View {
  private context!: ViewContext;
  private store!: UnitStore;
  private facts!: Facts;
  private axes!: Axes;
  private exemplars: Exemplar[] = [];
  private colours = new Map<string, string>();
  private readonly root = element("div", { class: "celltypes" });
  private readonly chancesHost = element("div", { class: "ct-top" });
  private readonly whyHost = element("div", { class: "ct-why-host" });
  private readonly probe = new ProbePanel();
  private readonly waveform = new WaveformPanel();
  private readonly heat = new HeatPanel();
  private readonly lines = new LinesPanel();
  private map!: MapPanel;

  private item: number | null = null;
  private curves: Curves | undefined;
  private chances: number[] | null = null;
  private why: WhyAnswer | string | null = null;
  /** Chosen by the reader for this unit; null: the likeliest. */
  private wanted: string | null = null;
  private salient = true;
  private wasHidden = false;
  private turn = 0;
  private listed = "";
  private ahead: QueueEntry[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;
  private asking: AbortController | undefined;
  private stops: Array<() => void> = [];

  async mount(root: HTMLElement, context: ViewContext): Promise<void> {
    this.context = context;
    this.facts = await context.api.json<Facts>(`desks/${context.desk.key}/facts`);
    this.axes = readAxes(this.facts.context);
    this.exemplars = readExemplars(this.facts.context);
    this.colours = new Map(context.desk.vocabulary.map((entry) => [entry.name, entry.colour]));
    this.store = new UnitStore(context, this.facts);
    this.map = new MapPanel(context, (name) => this.colourOf(name));
    const column = (name: string, ...parts: HTMLElement[]) => element("div", { class: `ct-column ct-${name}` }, ...parts);
    this.root.append(
      this.chancesHost,
      column("left", this.probe.root, this.waveform.root),
      column("middle", this.map.root, this.whyHost),
      column("right", this.heat.root, this.lines.root),
    );
    root.append(this.root);
    this.stops = [
      effect(() => {
        void context.theme.value;
        requestAnimationFrame(() => this.paint());
      }),
      effect(() => {
        void context.version.value;
        void context.selection.value;
        requestAnimationFrame(() => this.changed());
      }),
      effect(() => {
        const table = context.items.value;
        if (table) void this.place(Array.from(table.numbers("item"))).catch(() => undefined); // offline is told by show()
      }),
    ];
  }

  async show(entry: QueueEntry): Promise<void> {
    const turn = ++this.turn;
    const hidden = this.isHidden(entry.item);
    const [curves, chances] = await Promise.all([this.store.curves(entry.item), hidden ? null : this.store.chances(entry.item)]);
    if (turn !== this.turn) return;
    if (entry.item !== this.item) [this.wanted, this.why] = [null, null];
    [this.item, this.curves, this.chances, this.wasHidden] = [entry.item, curves, chances, hidden];
    if (hidden) this.why = null;
    this.map.show(entry.item);
    this.paint();
    this.root.dataset.unit = String(entry.item); // whose pictures these are
    this.askWhy();
  }

  prefetch(entry: QueueEntry): void {
    if (!this.ahead.length) queueMicrotask(() => this.fetchAhead());
    this.ahead.push(entry);
  }

  private fetchAhead(): void {
    const ahead = new Map(this.ahead.map((entry) => [entry.item, entry.blind || this.context.blind()]));
    this.ahead = [];
    const none = () => undefined; // told when the entry is shown
    for (const item of worthAsking([...ahead.keys()], (item) => this.store.has(item, ahead.get(item)!))) {
      this.store.curves(item).catch(none);
      if (!ahead.get(item)) this.store.chances(item).catch(none);
    }
  }

  unmount(): void {
    clearTimeout(this.timer);
    this.asking?.abort();
    for (const stop of this.stops) stop();
    for (const part of [this.probe, this.waveform, this.heat, this.lines, this.map]) part?.destroy();
    render(null, this.chancesHost);
    render(null, this.whyHost);
    this.root.remove();
  }

  commands(): Command[] {
    return [
      { name: "compare-next", help: "Compare with the next class", key: "ArrowRight", run: () => this.step(1) },
      { name: "compare-before", help: "Compare with the class before", key: "ArrowLeft", run: () => this.step(-1) },
      { name: "saliency", help: "Show or hide which samples speak for the class", key: "s", run: () => this.toggleSaliency() },
      { name: "intervals", help: "Autocorrelogram or intervals between spikes", key: "i", run: () => this.lines.turn() },
      { name: "select-none", help: "Let go of what is selected", key: "Escape", run: () => this.map.select([]) },
    ];
  }

  /** The class's own colour, lighter on a dark ground. */
  private colourOf(name: string): string {
    const own = this.colours.get(name) ?? UNKNOWN_COLOUR;
    return this.context.theme.value === "dark" ? lighter(own) : own;
  }

  /** Whether the machine's word on an item must not be shown yet. */
  private isHidden(item: number): boolean {
    return this.context.blind() && (this.context.state(item)?.state ?? "untouched") === "untouched";
  }

  /** Fetches places anew when there are other units than before. */
  private async place(items: number[]): Promise<void> {
    if (this.listed === items.join()) return;
    this.listed = items.join();
    this.map.set({ items, ...(await this.store.map(items)) }, this.exemplars);
  }

  private likeliest(): Map<string, number> | null {
    const { chances } = this;
    return chances ? new Map(this.context.desk.vocabulary.map((entry, k) => [entry.name, chances[k] ?? 0])) : null;
  }

  /** The class compared with: the reader's choice, else the likeliest that claims something. */
  private compared(): string | null {
    if (this.wanted) return this.wanted;
    const chances = this.likeliest();
    if (!chances) return null;
    const known = this.exemplars.filter((one) => !isUnknown(one.name));
    return known.sort((a, b) => (chances.get(b.name) ?? 0) - (chances.get(a.name) ?? 0))[0]?.name ?? null;
  }

  private paint(): void {
    this.paintChances();
    this.paintWhy();
    this.paintCurves([this.probe, this.waveform, this.heat, this.lines]);
    this.map?.repaint();
  }

  private paintCurves(panels: ReadonlyArray<{ paint(shown: Shown): void }>): void {
    const { curves, why } = this;
    if (!curves) return;
    const name = this.compared();
    const told = this.salient && why !== null && typeof why === "object" && why.saliency ? { towards: why.proposed, by: why.saliency } : null;
    const shown: Shown = {
      axes: this.axes, curves, classes: chosen(this.exemplars, name, this.likeliest(), (one) => this.colourOf(one)),
      compared: this.exemplars.find((one) => one.name === name) ?? null, saliency: told,
    };
    for (const panel of panels) panel.paint(shown);
  }

  private paintChances(): void {
    if (this.item === null) return;
    render(h(Chances, {
      vocabulary: this.context.desk.vocabulary.map((one) => ({ ...one, colour: this.colourOf(one.name) })), chances: this.chances, hidden: this.isHidden(this.item), compared: this.compared(),
      known: new Set(this.exemplars.map((one) => one.name)), compare: (name: string) => this.compare(name),
    }), this.chancesHost);
  }

  private paintWhy(): void {
    if (this.item === null) return;
    render(h(Reasons, {
      answer: this.why, hidden: this.isHidden(this.item), table: this.context.items.value, item: this.item, units: this.facts.units,
      proposed: this.context.state(this.item)?.proposed ?? null, source: this.context.desk.source_name, goto: (item: number) => this.context.goto(item),
    }), this.whyHost);
  }

  /** A state has changed: its mark on the map, and perhaps what was hidden may be told. */
  private changed(): void {
    this.map?.repaint();
    if (this.item === null) return;
    const hidden = this.isHidden(this.item);
    if (hidden === this.wasHidden) return;
    this.wasHidden = hidden;
    void this.reveal(this.item, hidden).catch(() => undefined);
  }

  private async reveal(item: number, hidden: boolean): Promise<void> {
    const chances = hidden ? null : await this.store.chances(item);
    if (item !== this.item) return;
    this.chances = chances;
    if (hidden) this.why = null;
    this.paint();
    this.askWhy();
  }

  private askWhy(): void {
    clearTimeout(this.timer);
    this.asking?.abort();
    const { item } = this;
    if (item === null || this.isHidden(item) || (this.why !== null && typeof this.why === "object")) return;
    this.timer = setTimeout(() => {
      const control = (this.asking = new AbortController());
      this.store.why(item, control.signal).catch((error: unknown) => {
        if (error instanceof DOMException) return null;
        return error instanceof ApiError ? `No reasons: expected ${error.expected}; got ${error.got}. ${error.remedy}` : String(error);
      }).then((answer) => {
        if (answer === null || item !== this.item || control.signal.aborted || this.isHidden(item)) return;
        this.why = answer;
        this.paintWhy();
        this.paintCurves([this.waveform, this.heat, this.lines]);
      });
    }, WHY_MS);
  }

  private compare(name: string): void {
    this.wanted = name;
    this.paint();
    this.context.announce(`Compared with ${name}.`);
  }

  private step(by: number): void {
    const names = this.context.desk.vocabulary.map((entry) => entry.name).filter((name) => this.exemplars.some((one) => one.name === name));
    if (!names.length) return this.context.announce("There is no class to compare with.");
    const now = names.indexOf(this.compared() ?? "");
    this.compare(names[now < 0 ? 0 : (now + by + names.length) % names.length]!);
  }

  private toggleSaliency(): void {
    this.salient = !this.salient;
    this.paint();
    this.context.announce(this.salient ? "What speaks for the class is shown under the curves." : "Curves are shown alone.");
  }
}
