// The spikes of a unit as points on two axes at a choice, with a lasso that splits.
import type { Scatter } from "../../scatter.ts";
import { createScatter } from "../../scatter.ts";
import { cssColour } from "../../theme.ts";
import type { Columns } from "../../view.ts";
import type { Cut } from "./data.ts";
import { element, panel } from "./dom.ts";

export const AXES: Record<string, string> = {
  time_s: "time (s)",
  amplitude: "amplitude",
  pc1: "component 1 (µV)",
  pc2: "component 2 (µV)",
  depth_um: "depth (µm)",
};
/** Axes on which spikes stand only once their waveforms are read. */
const FROM_WAVEFORMS = ["pc1", "pc2", "depth_um"];
const HIDDEN = 255;

export interface CloudOptions {
  name: string;
  title: string;
  x: string;
  y: string;
  onCut(cut: Cut | null, nChosen: number): void;
}

export class CloudPanel {
  readonly root: HTMLElement;
  private readonly scatter: Scatter;
  private readonly selects: [HTMLSelectElement, HTMLSelectElement];
  private readonly note = element("p", { class: "unit-note muted" });
  private readonly options: CloudOptions;
  private spikes: Columns | undefined;
  private item = 0;
  private chosen: ReadonlySet<number> = new Set();

  constructor(options: CloudOptions) {
    this.options = options;
    const { root, head, body } = panel(options.name, options.title);
    this.root = root;
    this.selects = [this.select("Across", options.x), this.select("Upwards", options.y)];
    head.append(element("span", { class: "unit-axes" }, this.selects[1], " against ", this.selects[0]));
    const host = element("div", { class: "unit-cloud" });
    body.append(host, this.note);
    this.scatter = createScatter(host, {
      palette: palette(), pointSize: 3, opacity: 0.65, trim: 0.03, label: `${options.title}: spikes as points; draw a lasso to split`,
      onLasso: (indices, polygon) => this.lasso(indices, polygon),
    });
    if (!this.scatter.webgl) {
      head.append(element("span", { class: "unit-no-webgl" }, "This browser has no WebGL: drawn more slowly on a plain canvas."));
    }
  }

  get axes(): [string, string] {
    return [this.selects[0].value, this.selects[1].value];
  }

  paint(spikes: Columns, item: number): void {
    this.spikes = spikes;
    this.item = item;
    this.chosen = new Set();
    this.load(false);
  }

  /** Paints the spikes that a cut would take away in the colour of a selection. */
  mark(rows: readonly number[] | null): void {
    const [count, before] = [rows?.length ?? 0, this.chosen.size];
    this.chosen = new Set(rows ?? []);
    if (count || before) this.load(true);
  }

  repaint(): void {
    this.scatter.setPalette(palette());
  }

  destroy(): void {
    this.scatter.destroy();
  }

  private load(keep: boolean): void {
    const spikes = this.spikes;
    if (!spikes) return;
    const [x, y] = [spikes.numbers(this.axes[0]), spikes.numbers(this.axes[1])];
    const [item, row] = [spikes.numbers("item"), spikes.numbers("row")];
    const group = new Uint8Array(spikes.n);
    let missing = 0;
    for (let k = 0; k < spikes.n; k++) {
      if (Number.isNaN(x[k]) || Number.isNaN(y[k])) {
        group[k] = HIDDEN;
        missing += item[k] === this.item ? 1 : 0;
      } else if (item[k] !== this.item) group[k] = 0;
      else group[k] = this.chosen.has(row[k]!) ? 2 : 1;
    }
    this.scatter.set({ x, y, group }, keep);
    this.note.textContent = missing ? this.told(missing) : "";
  }

  private told(missing: number): string {
    const waveforms = this.axes.some((axis) => FROM_WAVEFORMS.includes(axis));
    if (!waveforms) return `${missing.toLocaleString("en")} spikes have no amplitude.`;
    return `${missing.toLocaleString("en")} more spikes are placed when a lasso is drawn.`;
  }

  private lasso(indices: number[], polygon: number[]): void {
    const item = this.spikes?.numbers("item");
    const mine = item ? indices.filter((k) => item[k] === this.item) : [];
    if (polygon.length < 6 || !mine.length) {
      this.options.onCut(null, 0);
      return;
    }
    const corners: Array<[number, number]> = [];
    for (let k = 0; k < polygon.length; k += 2) corners.push([polygon[k]!, polygon[k + 1]!]);
    const row = this.spikes!.numbers("row");
    this.mark(mine.map((k) => row[k]!));
    this.options.onCut({ x: this.axes[0], y: this.axes[1], corners }, mine.length);
  }

  private select(label: string, value: string): HTMLSelectElement {
    const made = element("select", { "aria-label": `${label}: ${this.options.title}` },
      ...Object.entries(AXES).map(([name, text]) => element("option", { value: name }, text)));
    made.value = value;
    made.addEventListener("change", () => this.load(false));
    return made;
  }
}

/** The neighbour below, the unit above it, what is chosen on top. */
function palette(): string[] {
  return [cssColour("--series-2"), cssColour("--series-1"), cssColour("--select")];
}
