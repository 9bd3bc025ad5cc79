// A panel with a heading, a legend, a picture, and words in its place where there is nothing to draw.
import { element, Sheet } from "../units/dom.ts";

export interface Key {
  text: string;
  colour: string;
  /** Dashes of its line, as a canvas takes them. */
  dash: number[];
  thick?: boolean;
}

export class Panel {
  readonly root: HTMLElement;
  readonly head: HTMLElement;
  readonly body: HTMLElement;
  protected readonly sheet: Sheet;
  private readonly note = element("p", { class: "ct-note muted" });
  private readonly legend = element("ul", { class: "ct-legend" });

  constructor(name: string, title: string, label: string, draw: (brush: CanvasRenderingContext2D, width: number, height: number) => void) {
    this.head = element("header", {}, element("h3", {}, title));
    this.body = element("div", { class: "ct-body" });
    this.root = element("section", { class: `ct-panel ct-${name}`, "aria-label": title }, this.head, this.legend, this.body);
    this.sheet = new Sheet(this.body, label, draw);
    this.body.append(this.note);
    this.say(null);
  }

  repaint(): void {
    this.sheet.repaint();
  }

  destroy(): void {
    this.sheet.destroy();
  }

  /** Says what is missing in place of the picture; null shows the picture. */
  protected say(text: string | null): void {
    this.note.textContent = text ?? "";
    this.note.hidden = text === null;
    this.sheet.canvas.hidden = text !== null;
  }

  protected keys(keys: readonly Key[], more = ""): void {
    this.legend.replaceChildren(...keys.map(({ text, colour, dash, thick }) => {
      const line = element("i", { "aria-hidden": "true" });
      line.style.borderTop = `${thick ? 3 : 2}px ${!dash.length ? "solid" : dash[0]! > 3 ? "dashed" : "dotted"} ${colour}`;
      return element("li", {}, line, text);
    }), ...(more ? [element("li", { class: "muted" }, more)] : []));
  }

  protected label(text: string): void {
    this.sheet.canvas.setAttribute("aria-label", text);
  }
}
