// The whole night at a glance: hypnogram as decided, raters as rows, hypnodensity, spectrogram.
import type { Density } from "./night.ts";
import { type LaneScene, type Strip } from "./stripspaint.ts";
import { faded, fitted, GUTTER, type Palette, rgb, seenOn, type Surface } from "./surface.ts";
import { disagreeing, rowsOf } from "./tiling.ts";
import { gaps, type Segment, ticks, type Viewport, xOf } from "./viewport.ts";

export interface NightScene {
  lanes: readonly LaneScene[];
  /** Names and colours of the desk's classes, in the order of the density's rows. */
  classes: ReadonlyArray<{ name: string; colour: string }>;
  density: Density | undefined;
  strip: Strip | undefined;
  layer: OffscreenCanvas | undefined;
  /** The whole recording over the width of the plot. */
  whole: Viewport;
  segments: readonly Segment[];
}

const AXIS = 14;
const ROW = 12;
const MARKS = 7;
const RATER = 11;
const DENSITY = 34;
const STRIP = 46;
const MOST_RATERS = 5;

interface Part {
  top: number;
  height: number;
}

interface Layout {
  hypnogram: Part;
  marks: Part;
  raters: Part;
  density: Part;
  strip: Part;
  height: number;
}

/** Lanes of others that say what class each stretch is. */
export const ratersOf = (lanes: readonly LaneScene[]): LaneScene[] => lanes.filter((lane) => lane.rates).slice(0, MOST_RATERS);

export function nightLayout({ lanes, classes, density, strip }: NightScene): Layout {
  let top = AXIS;
  const part = (height: number): Part => {
    const here = { top, height };
    top += height + (height ? 3 : 0);
    return here;
  };
  const hypnogram = part(rowsOf(classes.map((one) => one.name)).length * ROW);
  const marks = part(MARKS);
  const raters = part(ratersOf(lanes).length * RATER);
  return { hypnogram, marks, raters, density: part(density ? DENSITY : 0), strip: part(strip ? STRIP : 0), height: top };
}

export function paintNight(surface: Surface, scene: NightScene, colours: Palette): void {
  if (!surface.begin()) return;
  const layout = nightLayout(scene);
  const { context } = surface;
  context.font = "10px system-ui, sans-serif";
  context.textBaseline = "middle";
  surface.inPlot(() => {
    for (const tick of ticks(scene.whole, scene.segments)) {
      context.fillStyle = faded(colours.line, 0.8);
      context.fillRect(Math.round(tick.x), AXIS - 4, 1, layout.height);
      context.fillStyle = colours.muted;
      context.fillText(tick.text, tick.x + 3, AXIS / 2);
    }
    paintHypnogram(context, scene, layout, colours);
    paintRaters(context, scene, layout.raters);
    if (scene.density) paintDensity(context, scene.density, scene, layout.density);
    if (scene.strip && scene.layer) {
      context.imageSmoothingEnabled = true;
      const { first, column_samples, n_columns } = scene.strip;
      const x0 = xOf(scene.whole, first);
      context.drawImage(scene.layer, x0, layout.strip.top, xOf(scene.whole, first + column_samples * n_columns) - x0, layout.strip.height);
    }
    context.fillStyle = colours.warn;
    for (const gap of gaps(scene.whole, scene.segments)) context.fillRect(gap.x, AXIS, 1, layout.height);
  });
  paintNames(context, scene, layout, colours);
}

function paintHypnogram(context: CanvasRenderingContext2D, scene: NightScene, { hypnogram, marks }: Layout, colours: Palette): void {
  const [own] = scene.lanes;
  if (!own) return;
  const { table } = own;
  const place = new Map(rowsOf(scene.classes.map((one) => one.name)).map((code, row) => [scene.classes[code]!.name, hypnogram.top + (row + 0.5) * ROW]));
  context.fillStyle = faded(colours.line, 0.5);
  for (const y of place.values()) context.fillRect(0, y, scene.whole.width, 0.5);
  const differs = disagreeing(table, (row) => nameAt(own, row), ratersOf(scene.lanes).map((lane) => ({ table: lane.table, nameOf: (row: number) => nameAt(lane, row) })));
  const inks = new Map(scene.classes.map((one) => [one.name, seenOn(colours.panel, one.colour)]));
  let before: number | undefined;
  for (let row = 0; row < table.n; row++) {
    const { name, colour } = own.classOf(own.codeOf(row));
    const state = own.stateOf(row);
    const x0 = xOf(scene.whole, table.start(row));
    const width = Math.max(0.75, xOf(scene.whole, table.stop(row)) - x0);
    const y = place.get(name);
    const decided = state !== "untouched" && state !== "removed" && state !== "unsure";
    if (decided) {
      context.fillStyle = colours.text;
      context.fillRect(x0, hypnogram.top + hypnogram.height, width, 2);
    }
    if (state === "unsure" || differs[row]) {
      context.fillStyle = state === "unsure" ? colours.warn : colours.select;
      context.fillRect(x0, marks.top, Math.max(state === "unsure" ? 3 : 1.5, width), marks.height);
    }
    if (y === undefined) {
      before = undefined;
      continue;
    }
    if (before !== undefined && before !== y) {
      context.fillStyle = colours.muted;
      context.fillRect(x0 - 0.4, Math.min(before, y), 0.8, Math.abs(before - y));
    }
    context.fillStyle = inks.get(name) ?? colour;
    context.fillRect(x0, y - (/^R/.test(name) ? 3 : 2), width, /^R/.test(name) ? 6 : 4);
    before = y;
  }
}

function nameAt(lane: LaneScene, row: number): string | null {
  const { name } = lane.classOf(lane.codeOf(row));
  return name === "?" || lane.stateOf(row) === "removed" ? null : name;
}

/** Neighbours of one colour are one bar, so that ten thousand epochs are few. */
function paintRaters(context: CanvasRenderingContext2D, { lanes, whole }: NightScene, { top }: Part): void {
  ratersOf(lanes).forEach(({ table, classOf, codeOf }, k) => {
    for (let row = 0; row < table.n;) {
      const first = row;
      const code = codeOf(row);
      while (row < table.n && codeOf(row) === code && (row === first || table.start(row) === table.stop(row - 1))) row += 1;
      context.fillStyle = classOf(code).colour;
      const x0 = xOf(whole, table.start(first));
      context.fillRect(x0, top + k * RATER + 1, Math.max(0.75, xOf(whole, table.stop(row - 1)) - x0), RATER - 2);
    }
  });
}

/** Chances stacked from the bottom of the hypnogram to its top: depth below, waking above. */
function paintDensity(context: CanvasRenderingContext2D, density: Density, { classes, whole }: NightScene, { top, height }: Part): void {
  const { n_classes, n_columns, values } = density;
  const image = new ImageData(n_columns, height);
  const pixels = new Uint32Array(image.data.buffer);
  const rows = rowsOf(classes.map((one) => one.name)).reverse();
  const order = [...rows, ...classes.keys()].filter((code, k, all) => code < n_classes && all.indexOf(code) === k);
  const inks = classes.map(({ colour }) => {
    const [red, green, blue] = rgb(colour);
    return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  });
  for (let column = 0; column < n_columns; column++) {
    let below = 0;
    for (const code of order) {
      const above = below + (values[code * n_columns + column]! / 255) * height;
      for (let y = Math.round(below); y < Math.min(height, Math.round(above)); y++) pixels[(height - 1 - y) * n_columns + column] = inks[code]!;
      below = above;
    }
  }
  const layer = new OffscreenCanvas(n_columns, height);
  layer.getContext("2d")!.putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(layer, 0, top, whole.width, height);
}

function paintNames(context: CanvasRenderingContext2D, scene: NightScene, layout: Layout, colours: Palette): void {
  context.textAlign = "right";
  const say = (text: string, y: number, colour = colours.muted): void => {
    context.fillStyle = colour;
    context.fillText(fitted(context, text, GUTTER - 10), GUTTER - 6, y, GUTTER - 10);
  };
  rowsOf(scene.classes.map((one) => one.name)).forEach((code, row) => say(scene.classes[code]!.name, layout.hypnogram.top + (row + 0.5) * ROW, colours.text));
  ratersOf(scene.lanes).forEach((lane, k) => say(lane.name, layout.raters.top + (k + 0.5) * RATER));
  say("doubts", layout.marks.top + layout.marks.height / 2);
  if (scene.density) say("chances", layout.density.top + layout.density.height / 2);
  if (scene.strip) {
    const { top, height } = layout.strip;
    say(`${Number(scene.strip.top_hz.toPrecision(3))} Hz`, top + 5);
    say(scene.strip.exact ? scene.strip.label : `${scene.strip.label} ≈`, top + height / 2);
    say("0", top + height - 5);
  }
  context.textAlign = "left";
}

/** Where the page is within the night. */
export function paintPlace(surface: Surface, view: Viewport, whole: Viewport, colours: Palette): void {
  if (!surface.begin()) return;
  const { context } = surface;
  surface.inPlot(() => {
    const x0 = xOf(whole, view.start);
    const width = Math.max(2, (view.length / whole.length) * whole.width);
    context.fillStyle = faded(colours.accent, 0.18);
    context.fillRect(x0, 0, width, surface.height);
    context.fillStyle = colours.accent;
    context.fillRect(x0 + width / 2 - 0.75, 0, 1.5, surface.height);
    context.beginPath();
    context.moveTo(x0 + width / 2 - 5, 0);
    context.lineTo(x0 + width / 2 + 5, 0);
    context.lineTo(x0 + width / 2, 6);
    context.fill();
  });
}
