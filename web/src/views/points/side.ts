// What is known of the neuron that is shown, in this volume and over all.
import type { Columns } from "../../view.ts";
import { element, shown } from "../units/dom.ts";
import { ADDED, CHANGED, UNSURE, isDecided } from "./grid.ts";
import type { Point } from "./store.ts";

const SHELL = new Set(["item", "state", "label", "proposed", "class_item", "decided_by", "name", "confidence"]);

export class Side {
  readonly root: HTMLElement;
  private readonly title = element("h3", {}, "Neuron");
  private readonly here = element("p", { class: "pt-here" });
  private readonly body = element("tbody", {});
  private units: Record<string, string> = {};

  constructor() {
    this.root = element("section", { class: "pt-side", "aria-label": "The neuron" }, element("header", {}, this.title), this.here, element("table", {}, this.body));
  }

  setUnits(units: Record<string, string>): void {
    this.units = units;
  }

  show(name: string, point: Point | undefined, seen: { points: number; decided: number }, table: Columns | undefined, item: number): void {
    this.title.textContent = name;
    this.here.textContent = told(point);
    this.here.dataset.said = String(point?.said ?? "");
    const rows: Array<[string, string]> = [];
    if (point?.visible) rows.push(["x, y, z", `${point.x.toFixed(1)}, ${point.y.toFixed(1)}, ${point.z.toFixed(1)}`]);
    rows.push(["in this volume", `${seen.points.toLocaleString("en")} points, ${seen.decided.toLocaleString("en")} decided`]);
    const at = table ? Array.prototype.indexOf.call(table.numbers("item"), item) as number : -1;
    for (const column of at < 0 ? [] : table!.names) {
      const value = SHELL.has(column) ? null : table!.values(column)[at];
      if (typeof value !== "number" && typeof value !== "string") continue;
      const unit = this.units[column] ? ` ${this.units[column]}` : "";
      rows.push([column.replaceAll("_", " "), Number.isNaN(value) ? "–" : `${shown(value)}${unit}`]);
    }
    this.body.replaceChildren(...rows.map(([key, text]) =>
      element("tr", {}, element("th", { scope: "row" }, key), element("td", { class: "num" }, text))));
  }
}

function told(point: Point | undefined): string {
  if (!point) return "No point in this volume. Put adds one.";
  const sure = point.confidence === null ? "" : ` · ${Math.round(100 * point.confidence)} % sure`;
  if (point.said === UNSURE) return `You are unsure of this point${sure}`;
  if (!point.visible) return point.said === CHANGED ? "You hid it: not to be seen here." : "Not to be seen here.";
  if (point.said === CHANGED) return "You placed it here.";
  if (point.said === ADDED) return "You added it here.";
  if (isDecided(point.said)) return `You found it right${sure}`;
  return point.confidence === null ? "Proposed, without a confidence." : `Proposed${sure}`;
}
