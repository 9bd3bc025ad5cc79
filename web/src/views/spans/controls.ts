// The row of controls above the traces; every one is a labelled form element.
import type { Recording } from "./recording.ts";
import { type Display, HIGH_HZ, LOW_HZ, NOTCH_HZ, PAGES_S, ROWS } from "./settings.ts";

export interface Actions {
  set(change: Partial<Display>): void;
  gain(up: boolean): void;
  page(step: number): void;
  draw(on: boolean): void;
  /** After a choice the keys belong to the page again. */
  leave(): void;
}

export interface Controls {
  update(display: Display, facts: { scale_uv: number; rows: string; when: string; drawing: boolean }): void;
}

const pageText = (s: number): string => (s >= 3600 ? `${s / 3600} h` : s >= 60 ? `${s / 60} min` : s >= 1 ? `${s} s` : `${s * 1000} ms`);
const hertz = (f: number | null): string => (f === null ? "off" : `${f} Hz`);

export function buildControls(root: HTMLElement, recording: Recording, act: Actions): Controls {
  const bar = document.createElement("div");
  bar.className = "spans-controls";
  bar.setAttribute("role", "toolbar");
  bar.setAttribute("aria-label", "How the traces are shown");
  root.append(bar);

  const choice = (label: string, pick: (value: string) => void): HTMLSelectElement => {
    const wrap = document.createElement("label");
    const select = document.createElement("select");
    wrap.append(label, select);
    select.addEventListener("change", () => {
      pick(select.value);
      act.leave();
    });
    bar.append(wrap);
    return select;
  };
  const button = (text: string, label: string, press: () => void): HTMLButtonElement => {
    const element = document.createElement("button");
    element.type = "button";
    element.textContent = text;
    element.setAttribute("aria-label", label);
    element.title = label;
    element.addEventListener("click", press);
    bar.append(element);
    return element;
  };
  const value = (className: string): HTMLSpanElement => {
    const element = document.createElement("span");
    element.className = className;
    bar.append(element);
    return element;
  };
  const number = (text: string): number | null => (text === "" ? null : Number(text));

  button("‹", "Page back", () => act.page(-1));
  const when = value("spans-when num");
  button("›", "Page forward", () => act.page(1));
  const page = choice("Page", (text) => act.set({ page_s: Number(text) }));
  if (!recording.raw) return { update: (display, facts) => { fill(page, display.page_s, PAGES_S, pageText); when.textContent = facts.when; } };
  const montage = choice("Montage", (text) => act.set({ montage: text, top: 0, strip_trace: 0 }));
  const high = choice("High-pass", (text) => act.set({ high: number(text) }));
  const low = choice("Low-pass", (text) => act.set({ low: number(text) }));
  const notch = choice("Notch", (text) => act.set({ notch: number(text) }));
  const rows = choice("Rows", (text) => act.set({ rows: Number(text) }));
  const shown = value("spans-rows muted num");
  button("−", "Smaller traces", () => act.gain(false));
  const gain = value("spans-gain num");
  button("+", "Larger traces", () => act.gain(true));
  const strip = button("Spectrogram", "Show or hide the spectrogram", () => act.set({ strip: strip.getAttribute("aria-pressed") !== "true" }));
  const top = choice("up to", (text) => act.set({ strip_top: Number(text) }));
  const draw = button("Draw", "Draw spans: drag over the traces", () => act.draw(draw.getAttribute("aria-pressed") !== "true"));
  const below = (limits: readonly number[]): number[] => limits.filter((f) => f < recording.rate_hz / 2);

  return {
    update(display, facts) {
      fill(page, display.page_s, PAGES_S.filter((s) => s < recording.n_samples / recording.rate_hz * 2), pageText);
      fill(montage, display.montage, Object.keys(recording.montages), (name) => name);
      fill(high, display.high, [null, ...below(HIGH_HZ)], hertz);
      fill(low, display.low, [null, ...below(LOW_HZ)], hertz);
      fill(notch, display.notch, [null, ...below(NOTCH_HZ)], hertz);
      fill(rows, display.rows, ROWS.filter((n) => n < recording.channels.length), (n) => (n ? String(n) : "all"));
      fill(top, display.strip_top, [15, 30, 40, 60, 100, 300, 1000].filter((f) => f <= recording.rate_hz / 2), (f) => `${f} Hz`);
      when.textContent = facts.when;
      shown.textContent = facts.rows;
      gain.textContent = `${Number(facts.scale_uv.toPrecision(3))} µV`;
      gain.title = "Microvolts between two rows";
      strip.setAttribute("aria-pressed", String(display.strip));
      draw.setAttribute("aria-pressed", String(facts.drawing));
    },
  };
}

/** Options of a select, with the value that is set among them even where it is none of the usual. */
function fill<T extends string | number | null>(select: HTMLSelectElement, now: T, usual: readonly T[], text: (value: T) => string): void {
  const values = usual.includes(now) ? usual : [...usual, now];
  const wanted = JSON.stringify(values);
  if (select.dataset.values !== wanted) {
    select.dataset.values = wanted;
    select.replaceChildren(...values.map((value) => new Option(text(value), value === null ? "" : String(value))));
  }
  select.value = now === null ? "" : String(now);
}
