// Before and after: what a merge or a split would make of the units, and which merges are likely.
import type { Card, Likeness, Preview } from "./data.ts";
import { button, element, panel, shown } from "./dom.ts";
import { NAMES, unitOf } from "./tables.ts";

export interface Plan {
  kind: "merge" | "split";
  items: number[];
  preview: Preview;
}

const SHOWN = [
  "n_spikes", "firing_rate_hz", "amplitude_median_uv", "amplitude_median", "snr", "isi_violations_ratio", "rp_contamination",
  "presence_ratio", "amplitude_cutoff", "drift_um", "nn_isolation", "sync_8", "expected_false_positives",
];
const HALF_BINS = 25;

export interface WorkspaceActions {
  apply(): void;
  close(): void;
  open(one: Likeness): void;
  ask(): void;
  cut(): void;
}

export class WorkspacePanel {
  readonly root: HTMLElement;
  private readonly body: HTMLElement;
  private readonly act: WorkspaceActions;

  constructor(act: WorkspaceActions) {
    this.act = act;
    const { root, head, body } = panel("workspace", "Merge and split");
    head.append(button("Sorter's cut", "Split where the sorter sees two heaps of spikes", act.cut, "c"));
    head.append(button("Close", "Close the workspace", act.close, "Esc"));
    this.root = root;
    this.body = body;
  }

  wait(text: string): void {
    this.body.replaceChildren(element("p", { class: "unit-note muted", role: "status" }, text));
  }

  paint(plan: Plan | null, merges: readonly Likeness[] | null): void {
    this.body.replaceChildren(...(plan ? this.compared(plan) : [
      element("p", { class: "unit-note" }, "Choose a neighbour to see the merge, or draw a lasso to see the split."),
    ]), ...this.proposals(merges));
  }

  private compared({ kind, items, preview }: Plan): HTMLElement[] {
    const { before, after } = preview;
    const merged = kind === "merge";
    const names = [...before.map((card) => `unit ${card.item}`), ...after.map((card) =>
      merged ? `→ ${card.item}` : card.item < 0 ? "→ new" : `→ ${card.item}`)];
    const cards = [...before, ...after];
    const table = element("table", { class: "unit-compare" });
    const head = table.createTHead().insertRow();
    head.append(element("th", {}), ...names.map((name) => element("th", { scope: "col" }, name)));
    const shapes = table.createTBody();
    shapes.insertRow().append(element("th", { scope: "row" }, "interval"), ...cards.map((card) => cell(sketchAcg(card))));
    shapes.insertRow().append(element("th", { scope: "row" }, "waveform"), ...cards.map((card) => cell(sketchWave(card, cards))));
    for (const name of SHOWN) {
      const facts = cards.map((card) => card.facts.find((fact) => fact.name === name));
      if (facts.every((fact) => fact === undefined || fact.value === null)) continue;
      const row = shapes.insertRow();
      const unit = unitOf(facts.find((fact) => fact)?.unit ?? "");
      row.append(element("th", { scope: "row" }, `${NAMES[name] ?? name}${unit ? ` (${unit})` : ""}`));
      for (const fact of facts) {
        const made = element("td", { class: fact?.doubt ? "num unit-doubt" : "num" }, shown(fact?.value ?? null));
        if (fact?.doubt) made.title = fact.doubt;
        row.append(made);
      }
    }
    const n = preview.rows?.length ?? 0;
    const sentence = merged ? `Units ${items.slice(0, -1).join(", ")} and ${items.at(-1)} become one.`
      : `${n.toLocaleString("en")} spikes of unit ${items[0]} become a new unit.`;
    return [
      element("p", { class: "unit-note" }, sentence), table,
      element("p", { class: "unit-apply" }, button(merged ? "Merge" : "Split", sentence, this.act.apply, merged ? "g" : "k")),
    ];
  }

  private proposals(merges: readonly Likeness[] | null): HTMLElement[] {
    if (!merges) return [];
    if (!merges.length) return [element("p", { class: "unit-note muted" }, "No pair of units looks like one neuron.")];
    const list = element("ol", { class: "unit-proposals" }, ...merges.slice(0, 20).map((one) => {
      const go = button(`${one.a} + ${one.b}`, one.sentence, () => this.act.open(one));
      return element("li", {}, go, element("span", { class: "muted num" }, ` ${(100 * one.score).toFixed(0)} %`));
    }));
    const ask = button("Ask about each", "Put these pairs into the queue", this.act.ask);
    return [element("h3", {}, `Likely merges (${merges.length})`), list, element("p", { class: "unit-apply" }, ask)];
  }
}

function cell(drawing: Element): HTMLTableCellElement {
  return element("td", {}, drawing as HTMLElement);
}

function svg(width: number, height: number, path: string, kind: "fill" | "stroke", label: string): SVGSVGElement {
  const space = "http://www.w3.org/2000/svg";
  const root = document.createElementNS(space, "svg");
  root.setAttribute("viewBox", `0 0 ${width} ${height}`);
  root.setAttribute("class", `unit-sketch unit-sketch-${kind}`);
  root.setAttribute("role", "img");
  root.setAttribute("aria-label", label);
  const line = document.createElementNS(space, "path");
  line.setAttribute("d", path);
  root.append(line);
  return root;
}

function sketchAcg(card: Card): SVGSVGElement {
  const all = card.acg?.map((value) => value ?? 0) ?? [];
  const middle = (all.length - 1) / 2;
  const values = all.slice(Math.max(0, middle - HALF_BINS), middle + HALF_BINS + 1);
  const top = Math.max(...values, 1e-9);
  const path = values.map((value, k) => `M${k} 30h1v${(-29 * value / top).toFixed(1)}h-1z`).join("");
  return svg(Math.max(values.length, 1), 30, path, "fill", "Autocorrelogram, 25 ms to either side");
}

/** All on one scale, so that amplitudes compare. */
function sketchWave(card: Card, all: readonly Card[]): SVGSVGElement {
  const size = Math.max(1e-9, ...all.flatMap((one) => one.wave?.map((value) => Math.abs(value ?? 0)) ?? []));
  const values = card.wave ?? [];
  const path = values.map((value, k) => `${k ? "L" : "M"}${k} ${(20 - (18 * (value ?? 0)) / size).toFixed(1)}`).join("");
  return svg(Math.max(values.length - 1, 1), 40, path, "stroke", "Template on the best channel");
}
