// Why the sorter gave a unit its spikes, in its own words and picture; asked for only when opened.
import type { Explained } from "./data.ts";
import { button, element, panel } from "./dom.ts";

export class ExplainedPanel {
  readonly root: HTMLElement;
  private readonly body: HTMLElement;

  constructor(close: () => void) {
    const { root, head, body } = panel("explained", "Why these spikes");
    head.append(button("Close", "Close the explanation", close, "Esc"));
    this.root = root;
    this.body = body;
  }

  wait(text: string): void {
    this.body.replaceChildren(element("p", { class: "unit-note muted", role: "status" }, text));
  }

  fail(text: string): void {
    this.body.replaceChildren(element("p", { class: "unit-note", role: "alert" }, text));
  }

  paint(told: Explained): void {
    const warnings = told.warnings.map((text) => element("li", {}, text));
    this.body.replaceChildren(
      ...(warnings.length ? [element("ul", { class: "unit-findings" }, ...warnings)] : []),
      ...told.pictures.map((src) => element("img", {
        src, class: "unit-picture", alt: `Samples, template, runner-up and what is left of unit ${told.item}`,
      })),
      element("ul", { class: "unit-said" }, ...told.sentences.map((text) => element("li", {}, text))),
    );
  }
}

/** What the server is at while the sorter is fitted again. */
export function fitting(stage: string, done: number | null): string {
  const part = done === null ? "" : `, ${Math.round(100 * done)} %`;
  const at = stage ? ` (${stage}${part})` : "";
  return `The sorter is fitted again to the recording${at}. This takes as long as finding the units took, once.`;
}
