// Colours of neurons on dark pictures, and of the cells of the map of confidence on either ground.
import type { Rgb } from "../regions/colours.ts";
import { ADDED, HIDDEN, LEAST, NOTHING, UNKNOWN, UNSURE, isDecided, sureness } from "./grid.ts";

export type Colouring = "identity" | "confidence" | "decided";
export const COLOURINGS: readonly Colouring[] = ["identity", "confidence", "decided"];

const GOLDEN = 137.508;
const DOUBT: readonly Rgb[] = [[255, 122, 40], [255, 200, 92], [120, 206, 255]];
const GREY = "#b4bcc4", DECIDED = "#46d6a0", DOUBTED = "#ff7fd0";

/** Neighbours in number are far apart in hue, and a track keeps its colour. */
export const identityColour = (item: number): string => `hsl(${(((item * GOLDEN) % 360) + 360) % 360} 78% 66%)`;

export function markColour(by: Colouring, item: number, code: number, said: number): string {
  if (by === "identity") return identityColour(item);
  if (by === "decided") return said === UNSURE ? DOUBTED : isDecided(said) ? DECIDED : GREY;
  if (isDecided(said)) return DECIDED;
  const sure = sureness(code);
  return sure === null ? GREY : `rgb(${between(DOUBT, sure).join(" ")})`;
}

/** From the first colour (0) to the last (1). */
function between(stops: readonly Rgb[], at: number): Rgb {
  const place = Math.min(1, Math.max(0, at)) * (stops.length - 1);
  const k = Math.min(stops.length - 2, Math.floor(place)), part = place - k;
  return stops[k]!.map((from, c) => Math.round(from + (stops[k + 1]![c]! - from) * part)) as Rgb;
}

export interface Shades {
  /** Least sure to sure. */
  ramp: readonly Rgb[];
  decided: Rgb;
  unsure: Rgb;
  hidden: Rgb;
  unknown: Rgb;
}

/** What is sure recedes into the ground, what is doubtful glows. */
export const SHADES: Record<"light" | "dark", Shades> = {
  light: { ramp: [[196, 62, 0], [240, 160, 60], [206, 222, 235]], decided: [120, 196, 170], unsure: [204, 63, 142], hidden: [226, 229, 232], unknown: [176, 186, 196] },
  dark: { ramp: [[255, 146, 48], [150, 104, 66], [38, 56, 72]], decided: [38, 118, 94], unsure: [224, 96, 170], hidden: [36, 42, 48], unknown: [84, 96, 108] },
};

/** Colour of every kind of cell, packed for an image: index is 256 * said + code. */
export function palette(shades: Shades): Uint32Array {
  const out = new Uint32Array(256 * (ADDED + 2));
  for (let said = 0; said <= UNSURE; said++) {
    for (let code = 0; code < 256; code++) {
      if (code === NOTHING) continue; // the ground shows
      const [r, g, b] = code === HIDDEN ? shades.hidden : isDecided(said) ? shades.decided : said === UNSURE ? shades.unsure
        : code === UNKNOWN ? shades.unknown : between(shades.ramp, (code - LEAST) / (255 - LEAST));
      out[256 * said + code] = ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
    }
  }
  return out;
}

/** How much a cell asks for a look, for the one of several that is shown: index as in `palette`. */
export const ASKS = (() => {
  const out = new Uint16Array(256 * (ADDED + 2));
  for (let said = 0; said <= UNSURE; said++) {
    for (let code = 0; code < 256; code++) {
      out[256 * said + code] = code < UNKNOWN ? code : said === UNSURE ? 600 : isDecided(said) ? 100 : code === UNKNOWN ? 300 : 200 + 255 - code;
    }
  }
  return out;
})();

export const legend = (shades: Shades): string =>
  `linear-gradient(to right, ${shades.ramp.map((one) => `rgb(${one.join(" ")})`).join(", ")})`;
