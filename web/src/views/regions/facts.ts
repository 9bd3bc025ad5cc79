// Facts of one region, as the item table has them.
import type { Columns } from "../../view.ts";
import { element, shown } from "../units/dom.ts";

const SHELL = new Set(["item", "state", "label", "proposed", "class_item", "decided_by"]);

export class FactsPanel {
  readonly root: HTMLElement;
  private readonly body = element("tbody", {});
  private readonly size = element("td", { class: "num" });
  private units: Record<string, string> = {};

  constructor() {
    const table = element("table", {}, this.body);
    this.root = element("section", { class: "rg-facts", "aria-label": "Facts of the region" }, element("header", {}, element("h3", {}, "Facts")), table);
  }

  setUnits(units: Record<string, string>): void {
    this.units = units;
  }

  unitOf(name: string): string {
    return this.units[name] ?? "";
  }

  show(table: Columns | undefined, item: number, pixels: number): void {
    this.resize(pixels);
    const rows = [element("tr", {}, element("th", { scope: "row" }, "pixels now"), this.size)];
    if (table) {
      const at = Array.from(table.numbers("item")).indexOf(item);
      for (const name of table.names) {
        if (SHELL.has(name) || at < 0) continue;
        const value = table.values(name)[at];
        if (typeof value !== "number" && typeof value !== "string") continue;
        const text = Number.isNaN(value) ? "–" : `${shown(value)}${this.unitOf(name) ? ` ${this.unitOf(name)}` : ""}`;
        rows.push(element("tr", {}, element("th", { scope: "row" }, name.replaceAll("_", " ")), element("td", { class: "num" }, text)));
      }
    }
    this.body.replaceChildren(...rows);
  }

  /** The region was drawn anew. */
  resize(pixels: number): void {
    this.size.textContent = pixels.toLocaleString("en");
  }
}
