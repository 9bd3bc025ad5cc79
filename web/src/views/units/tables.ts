// The lists beside the plots: neighbours of the unit, and its metrics.
import type { Likeness, UnitCard } from "./data.ts";
import { button, element, panel, shown } from "./dom.ts";

export const NAMES: Record<string, string> = {
  n_spikes: "spikes", channel: "best channel", x_um: "x", y_um: "y", shank: "shank", firing_rate_hz: "firing rate",
  amplitude_median_uv: "amplitude", amplitude_median: "amplitude", snr: "SNR", isi_violations_ratio: "ISI violations",
  rp_contamination: "contamination", presence_ratio: "presence", amplitude_cutoff: "amplitude cutoff", drift_um: "drift",
  nn_isolation: "isolation", firing_range_hz: "firing range", sync_8: "synchrony",
  expected_false_positives: "false positives", expected_false_negatives: "false negatives", split_probability: "two neurons",
};

export function unitOf(text: string): string {
  return text.replace(/^u(?=[A-Z]|m)/, "µ");
}

export class NeighboursPanel {
  readonly root: HTMLElement;
  private readonly list = element("div", { role: "listbox", "aria-label": "Neighbours of the unit", tabindex: "0", class: "unit-list" });
  private readonly sentence = element("p", { class: "unit-note" });
  private readonly choose: (item: number) => void;
  private readonly open: (item: number) => void;

  constructor(choose: (item: number) => void, open: (item: number) => void) {
    const { root, head, body } = panel("near", "Neighbours");
    this.root = root;
    [this.choose, this.open] = [choose, open];
    head.append(element("kbd", {}, "↑"), element("kbd", {}, "↓"));
    body.append(this.list, this.sentence);
  }

  paint(similar: readonly Likeness[], beside: number | null, marked: ReadonlySet<number>): void {
    const rows = similar.map((one) => this.row(one, one.b === beside, marked.has(one.b)));
    this.list.replaceChildren(
      ...(rows.length ? [element("div", { class: "unit-row unit-titles", "aria-hidden": "true" }, ...["unit", "template", "refractory", "one cell"].map((t) => element("span", {}, t)))] : []),
      ...rows,
    );
    const chosen = similar.find((one) => one.b === beside);
    this.sentence.textContent = chosen?.sentence ?? (similar.length ? "" : "No other unit lies within 150 µm.");
    this.list.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }

  private row(one: Likeness, chosen: boolean, marked: boolean): HTMLElement {
    const alike = one.similarity === null ? "–" : `${Math.round(100 * one.similarity)} %`;
    const pairs = one.expected < 3 ? "too few" : `${one.observed} of ${Math.round(one.expected)}`;
    const row = element("div", {
      role: "option", "aria-selected": String(chosen), class: "unit-row",
      "aria-label": `Unit ${one.b}${marked ? ", marked" : ""}: templates ${alike} alike, one cell with ${(100 * one.score).toFixed(0)} %`,
    },
      element("span", { class: "num" }, `${marked ? "✓ " : ""}${one.b}`), element("span", { class: "num" }, alike),
      element("span", { class: "num" }, pairs), element("span", { class: "num" }, `${(100 * one.score).toFixed(0)} %`));
    row.addEventListener("click", () => this.choose(one.b));
    row.addEventListener("dblclick", () => this.open(one.b));
    return row;
  }
}

export class MetricsPanel {
  readonly root: HTMLElement;
  private readonly body: HTMLElement;

  constructor(explain: () => void) {
    const { root, head, body } = panel("metrics", "Metrics");
    head.append(button("Explain", "Why the sorter gave the unit these spikes", explain, "e"));
    this.root = root;
    this.body = body;
  }

  paint(card: UnitCard): void {
    const doubts = card.facts.filter((fact) => fact.doubt);
    const table = element("table", { class: "unit-facts" });
    for (const fact of card.facts) {
      const row = table.insertRow();
      row.title = fact.text;
      if (fact.doubt) row.className = "unit-doubt";
      row.append(
        element("th", { scope: "row" }, NAMES[fact.name] ?? fact.name.replaceAll("_", " ")),
        element("td", { class: "num" }, shown(fact.value)),
        element("td", {}, unitOf(fact.unit)),
        element("td", { class: "muted" }, fact.doubt && fact.limit !== null ? `${fact.above ? "above" : "below"} ${shown(fact.limit)}` : ""),
      );
    }
    this.body.replaceChildren(
      ...(doubts.length ? [element("ul", { class: "unit-findings" }, ...doubts.map((fact) => element("li", {}, fact.doubt!)))] : []),
      table,
    );
  }
}
