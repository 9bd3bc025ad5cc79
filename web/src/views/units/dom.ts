// Small helpers for panels that are made once and painted often.

type Child = Node | string | null;

export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K, attributes: Record<string, string> = {}, ...children: Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.filter((child): child is Node | string => child !== null));
  return made;
}

/** A section with a heading, and the place for its content. */
export function panel(name: string, title: string): { root: HTMLElement; head: HTMLElement; body: HTMLElement } {
  const head = element("header", {}, element("h3", {}, title));
  const body = element("div", { class: "unit-body" });
  return { root: element("section", { class: `unit-panel unit-${name}`, "aria-label": title }, head, body), head, body };
}

export function button(text: string, help: string, run: () => void, key?: string): HTMLButtonElement {
  const made = element("button", { type: "button", title: help }, text);
  if (key) made.append(" ", element("kbd", {}, key));
  made.addEventListener("click", run);
  return made;
}

const PLACES = 3;

/** Three significant digits, whole numbers whole. */
export function shown(value: number | string | null): string {
  if (value === null) return "–";
  if (typeof value === "string") return value;
  if (Number.isInteger(value)) return value.toLocaleString("en");
  return Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(PLACES)));
}

/** A canvas that fills its host, in CSS pixels at the screen's resolution. */
export class Sheet {
  readonly canvas: HTMLCanvasElement;
  private readonly observer: ResizeObserver;
  private readonly paint: (brush: CanvasRenderingContext2D, width: number, height: number) => void;

  constructor(host: HTMLElement, label: string, paint: (brush: CanvasRenderingContext2D, width: number, height: number) => void) {
    this.canvas = element("canvas", { role: "img", "aria-label": label });
    this.paint = paint;
    host.append(this.canvas);
    this.observer = new ResizeObserver(() => this.repaint());
    this.observer.observe(host);
  }

  repaint(): void {
    const host = this.canvas.parentElement;
    const brush = this.canvas.getContext("2d");
    if (!host || !brush || !host.clientWidth || !host.clientHeight) return;
    const ratio = devicePixelRatio || 1;
    const [width, height] = [host.clientWidth, host.clientHeight];
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
    }
    brush.setTransform(ratio, 0, 0, ratio, 0, 0);
    brush.clearRect(0, 0, width, height);
    brush.font = "11px system-ui, sans-serif";
    this.paint(brush, width, height);
  }

  destroy(): void {
    this.observer.disconnect();
    this.canvas.remove();
  }
}
