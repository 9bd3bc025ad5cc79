// What the view can do by key and by name; the keys can be remapped like all others.
import type { Command } from "../../view.ts";
import { parseClock } from "./viewport.ts";
import { type Display, following, HIGH_HZ, LOW_HZ, NOTCH_HZ } from "./settings.ts";

/** What commands are carried out on. */
export interface Doing {
  announce(text: string): void;
  page(pages: number): void;
  cursorBy(pages: number): void;
  toTime(seconds: number): void;
  toEnd(last: boolean): void;
  step(direction: 1 | -1): void;
  inTime(): void;
  montages(): string[];
  edge(side: "start" | "stop"): void;
  edges(start_s: number, stop_s: number): void;
  addAtCursor(): void;
  add(start_s: number, stop_s: number, name: string): void;
  remove(): void;
  gain(up: boolean): void;
  zoom(factor: number): void;
  scroll(direction: 1 | -1): void;
  draw(): void;
  display(): Display;
  set(change: Partial<Display>): void;
}

const FINE = 1 / 100;

export function spanCommands(doing: Doing): Command[] {
  const filter = (name: "high" | "low" | "notch", what: string): Command => ({
    name: `${name}-pass`.replace("notch-pass", "notch"),
    help: `\`/${name === "notch" ? "notch" : `${name}-pass`} 30\`: ${what}, in Hz; alone: off`,
    run: (rest) => {
      const value = rest.trim() === "" || rest.trim() === "off" ? null : Number(rest);
      if (value !== null && !(value > 0)) return doing.announce(`Expected a frequency in Hz, as in /${name} 30.`);
      doing.set({ [name]: value });
    },
  });
  const cycle = (name: "high" | "low" | "notch", what: string, key: string, choices: readonly number[]): Command => ({
    name: `next-${name}`, help: `Next ${what}`, key,
    run: () => {
      const value = following([null, ...choices], doing.display()[name]);
      doing.set({ [name]: value });
      doing.announce(value === null ? `${what}: off.` : `${what}: ${value} Hz.`);
    },
  });
  return [
    { name: "page-forward", help: "Page forward", key: "ArrowRight", run: () => doing.page(1) },
    { name: "page-back", help: "Page back", key: "ArrowLeft", run: () => doing.page(-1) },
    { name: "scroll-forward", help: "A tenth of a page forward", key: "Ctrl+ArrowRight", run: () => doing.page(0.1) },
    { name: "scroll-back", help: "A tenth of a page back", key: "Ctrl+ArrowLeft", run: () => doing.page(-0.1) },
    { name: "cursor-right", help: "Cursor to the right", key: "Shift+ArrowRight", run: () => doing.cursorBy(FINE) },
    { name: "cursor-left", help: "Cursor to the left", key: "Shift+ArrowLeft", run: () => doing.cursorBy(-FINE) },
    { name: "first-page", help: "To the beginning of the recording", key: "Home", run: () => doing.toEnd(false) },
    { name: "last-page", help: "To the end of the recording", key: "End", run: () => doing.toEnd(true) },
    { name: "time", help: "`/time 1:02:30`: go to a time", run: (rest) => {
      const seconds = parseClock(rest);
      if (seconds === undefined) doing.announce("Expected a time, as in /time 1:02:30.");
      else doing.toTime(seconds);
    } },
    { name: "next-span", help: "Next span in time (also Tab, while the traces have the focus)", key: "ArrowDown", run: () => doing.step(1) },
    { name: "previous-span", help: "Previous span in time", key: "ArrowUp", run: () => doing.step(-1) },
    { name: "in-time", help: "After a decision: the span that follows in time, or what the queue asks", key: "t", run: () => doing.inTime() },
    { name: "set-start", help: "The selected span begins at the cursor", key: "[", run: () => doing.edge("start") },
    { name: "set-stop", help: "The selected span ends at the cursor", key: "]", run: () => doing.edge("stop") },
    { name: "edges", help: "`/edges 12.5 13.2`: begin and end of the selected span, as times", run: (rest) => {
      const [start, stop] = rest.trim().split(/\s+/).map(parseClock);
      if (start === undefined || stop === undefined) doing.announce("Expected two times, as in /edges 12.5 13.2.");
      else doing.edges(start, stop);
    } },
    { name: "add-span", help: "New span at the cursor, then its class; or `/add-span 12.5 13.2 spindle`", key: "a", run: (rest) => {
      const words = rest.trim().split(/\s+/).filter(Boolean);
      if (!words.length) return doing.addAtCursor();
      const [start, stop] = words.slice(0, 2).map(parseClock);
      if (start === undefined || stop === undefined) doing.announce("Expected two times and a class, as in /add-span 12.5 13.2 spindle.");
      else doing.add(start, stop, words.slice(2).join(" "));
    } },
    { name: "remove-span", help: "Delete the selected span", key: "Delete", run: () => doing.remove() },
    { name: "draw", help: "Draw spans with the pointer: on or off (or hold Shift)", key: "d", run: () => doing.draw() },
    { name: "larger", help: "Larger traces", key: "+", run: () => doing.gain(true) },
    { name: "smaller", help: "Smaller traces", key: "-", run: () => doing.gain(false) },
    { name: "fit", help: "Traces as large as fits", key: "0", run: () => doing.set({ scale_uv: null }) },
    { name: "zoom-in", help: "Shorter page", key: "i", run: () => doing.zoom(0.5) },
    { name: "zoom-out", help: "Longer page", key: "o", run: () => doing.zoom(2) },
    { name: "rows-down", help: "Further channels", key: "PageDown", run: () => doing.scroll(1) },
    { name: "rows-up", help: "Earlier channels", key: "PageUp", run: () => doing.scroll(-1) },
    { name: "spectrogram", help: "Spectrogram on or off; `/spectrogram 3`: of the third trace", key: "s", run: (rest) => {
      const trace = Number(rest);
      doing.set(rest.trim() && trace > 0 ? { strip: true, strip_trace: trace - 1 } : { strip: !doing.display().strip });
    } },
    { name: "page", help: "`/page 12`: seconds on a page", run: (rest) => {
      const seconds = Number(rest);
      if (seconds > 0) doing.set({ page_s: seconds });
      else doing.announce("Expected seconds, as in /page 12.");
    } },
    { name: "montage", help: "`/montage bipolar`, `average`, `median`, `recorded`, `reference Cz`", run: (rest) => {
      doing.set({ montage: rest.trim() || "recorded", top: 0, strip_trace: 0 });
    } },
    { name: "next-montage", help: "Next montage", key: "m", run: () => {
      const montage = following(doing.montages(), doing.display().montage);
      doing.set({ montage, top: 0, strip_trace: 0 });
      doing.announce(`Montage: ${montage}.`);
    } },
    cycle("high", "high-pass", "Shift+h", HIGH_HZ),
    cycle("low", "low-pass", "Shift+l", LOW_HZ),
    cycle("notch", "notch", "Shift+n", NOTCH_HZ),
    filter("high", "take away what lies below"),
    filter("low", "take away what lies above"),
    filter("notch", "take away the mains"),
  ];
}
