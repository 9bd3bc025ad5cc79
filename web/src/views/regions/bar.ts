// The row above the field: tools, brush, picture, colours of outlines.
import { button, element, shown } from "../units/dom.ts";
import type { Scale } from "./colours.ts";
import { gradient } from "./colours.ts";
import type { Tool } from "./field.ts";

const TOOLS: Array<[Tool, string, string]> = [
  ["select", "Select", "Click a region; drag to move, wheel to zoom, right click to flip"],
  ["brush", "Brush", "Paint pixels onto the region"],
  ["erase", "Erase", "Rub pixels off the region"],
  ["split", "Split", "Draw a line across the region"],
  ["draw", "Draw", "Draw around a new region"],
];

export interface BarActs {
  tool(tool: Tool): void;
  layer(name: string): void;
  plane(plane: number): void;
  statistic(name: string): void;
  outlines(shown: boolean): void;
  brightness(value: number): void;
}

export class Bar {
  readonly root = element("div", { class: "rg-bar", role: "toolbar", "aria-label": "Drawing and pictures" });
  private readonly tools = new Map<Tool, HTMLButtonElement>();
  private readonly layer = element("select", { "aria-label": "Picture" });
  private readonly plane = element("select", { "aria-label": "Plane" });
  private readonly statistic = element("select", { "aria-label": "Colour of outlines" });
  private readonly outlines = element("input", { type: "checkbox", id: "rg-outlines" });
  private readonly size = element("span", { class: "muted num" });
  private readonly legend = element("span", { class: "rg-scale num" });

  constructor(acts: BarActs, keyOf: (command: string) => string | undefined) {
    const group = element("span", { class: "rg-group", role: "group", "aria-label": "Tools" });
    for (const [tool, text, help] of TOOLS) {
      const made = button(text, help, () => acts.tool(tool), keyOf(`tool-${tool}`));
      this.tools.set(tool, made);
      group.append(made);
    }
    const bright = element("input", { type: "range", min: "50", max: "400", value: "100", "aria-label": "Brightness", title: "Brightness" });
    bright.addEventListener("input", () => acts.brightness(Number(bright.value) / 100));
    this.layer.addEventListener("change", () => acts.layer(this.layer.value));
    this.plane.addEventListener("change", () => acts.plane(Number(this.plane.value)));
    this.statistic.addEventListener("change", () => acts.statistic(this.statistic.value));
    this.outlines.addEventListener("change", () => acts.outlines(this.outlines.checked));
    const labelled = (text: string, field: HTMLElement) => element("label", {}, text, " ", field);
    this.root.append(
      group, this.size, labelled("Picture", this.layer), bright, this.plane,
      labelled("Colour", this.statistic), this.legend, labelled("Outlines", this.outlines),
    );
  }

  choose(tool: Tool, radius: number): void {
    for (const [name, made] of this.tools) made.setAttribute("aria-pressed", String(name === tool));
    this.size.textContent = tool === "brush" || tool === "erase" ? `${shown(2 * radius)} px wide` : "";
  }

  pictures(layers: readonly string[], now: string, planes: number, plane: number): void {
    fill(this.layer, layers.length ? layers : ["none"], layers.length ? now : "none");
    this.layer.disabled = !layers.length;
    this.plane.hidden = planes < 2;
    fill(this.plane, Array.from({ length: planes }, (_, z) => String(z)), String(plane), (z) => `plane ${Number(z) + 1}`);
  }

  colours(names: readonly string[], now: string, scale: Scale | null, unit: string, outlines: boolean): void {
    fill(this.statistic, names, now, (name) => name.replaceAll("_", " "));
    this.outlines.checked = outlines;
    this.legend.replaceChildren();
    if (!scale) return;
    const strip = element("i", { "aria-hidden": "true" });
    strip.style.backgroundImage = gradient;
    this.legend.append(shown(scale.low), strip, `${shown(scale.high)}${unit ? ` ${unit}` : ""}`);
  }
}

function fill(select: HTMLSelectElement, names: readonly string[], now: string, say = (name: string) => name): void {
  const held = Array.from(select.options, (option) => option.value);
  if (held.join("\n") !== names.join("\n")) {
    select.replaceChildren(...names.map((name) => element("option", { value: name }, say(name))));
  }
  select.value = now;
}
