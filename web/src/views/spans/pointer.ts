// Mouse, pen and touch: edges are dragged, spans drawn, the page moved and zoomed.
import { GUTTER } from "./surface.ts";
import type { Scene } from "./scene.ts";
import { LANE_HEIGHT } from "./stripspaint.ts";
import type { SpanTable } from "./spantable.ts";
import { sampleAt, type Viewport, xOf } from "./viewport.ts";

/** What the pointer may do to the view. */
export interface Hands {
  view(): Viewport;
  own(): SpanTable;
  selected(): number | null;
  draft(): { item: number | null; start: number; stop: number } | null;
  drawing(): boolean;
  select(item: number): void;
  cursor(sample: number): void;
  /** Shows a span as it would be. */
  stretch(item: number | null, start: number, stop: number): void;
  /** The pointer let go of it. */
  settle(): void;
  drawn(start: number, stop: number, y: number): void;
  move(start: number): void;
  zoom(factor: number, x: number): void;
  scroll(rows: number): void;
  centre(part: number): void;
  /** Shows the span at a part of the recording. */
  choose(part: number): void;
  name(y: number): void;
}

const REACH = 6;
const LEAST_DRAG = 4;

interface Edge {
  item: number | null;
  start: number;
  stop: number;
  side: "start" | "stop";
}

export function attachPointer(scene: Scene, hands: Hands): () => void {
  const listening = new AbortController();
  const on = <K extends keyof HTMLElementEventMap>(element: HTMLElement, kind: K, act: (event: HTMLElementEventMap[K]) => void): void =>
    element.addEventListener(kind, act as EventListener, { signal: listening.signal, passive: false });

  const place = (event: MouseEvent, element: HTMLElement): { x: number; y: number } => {
    const box = element.getBoundingClientRect();
    return { x: event.clientX - box.left - GUTTER, y: event.clientY - box.top };
  };

  const nearby = (x: number, inLane: boolean): Edge | null => {
    const view = hands.view();
    const spans: Array<Omit<Edge, "side">> = [];
    const draft = hands.draft();
    const own = hands.own();
    const selected = hands.selected();
    const chosen = selected === null ? undefined : own.get(selected);
    if (draft) spans.push(draft);
    if (chosen) spans.push(chosen);
    if (inLane) {
      const reach = (REACH / view.width) * view.length;
      const at = sampleAt(view, x);
      spans.push(...own.visible(at - reach, at + reach).map((row) => own.at(row)));
    }
    for (const { item, start, stop } of spans) {
      for (const side of ["start", "stop"] as const) {
        if (Math.abs(xOf(view, side === "start" ? start : stop) - x) <= REACH) return { item, start, stop, side };
      }
    }
    return null;
  };

  const drag = (event: PointerEvent, element: HTMLElement, moved: (x: number, y: number) => void, done: (dragged: boolean) => void): void => {
    const from = place(event, element);
    let dragged = false;
    const stop = new AbortController();
    element.setPointerCapture(event.pointerId);
    element.addEventListener("pointermove", (next) => {
      const to = place(next, element);
      dragged ||= Math.abs(to.x - from.x) >= LEAST_DRAG || Math.abs(to.y - from.y) >= LEAST_DRAG * 3;
      if (dragged) moved(to.x, to.y);
    }, { signal: stop.signal });
    for (const kind of ["pointerup", "pointercancel"] as const) {
      element.addEventListener(kind, () => {
        stop.abort();
        done(dragged && kind === "pointerup");
      }, { signal: stop.signal });
    }
  };

  const stretch = (edge: Edge, x: number): void => {
    const at = Math.round(sampleAt(hands.view(), x));
    if (edge.side === "start") hands.stretch(edge.item, Math.min(at, edge.stop - 1), edge.stop);
    else hands.stretch(edge.item, edge.start, Math.max(at, edge.start + 1));
  };

  const begin = (event: PointerEvent, element: HTMLElement, inLane: boolean): void => {
    if (event.button !== 0) return;
    const { x, y } = place(event, element);
    if (x < 0) {
      if (element === scene.overlay.canvas) hands.name(y);
      return;
    }
    const view = { ...hands.view() };
    const at = sampleAt(view, x);
    const edge = !inLane || y < LANE_HEIGHT ? nearby(x, inLane) : null;
    if (edge) return drag(event, element, (to) => stretch(edge, to), (dragged) => (dragged ? hands.settle() : click(at, inLane && y < LANE_HEIGHT)));
    const draws = event.shiftKey || hands.drawing() || (inLane && y < LANE_HEIGHT && !hands.own().visible(at, at + 1).length);
    if (draws) {
      return drag(event, element, (to) => {
        const other = sampleAt(view, to);
        hands.drawn(Math.round(Math.min(at, other)), Math.round(Math.max(at, other)), inLane ? -1 : y);
      }, (dragged) => { if (!dragged) click(at, inLane && y < LANE_HEIGHT); });
    }
    drag(event, element, (to) => hands.move(view.start - ((to - x) / view.width) * view.length), (dragged) => {
      if (!dragged) click(at, inLane && y < LANE_HEIGHT);
    });
  };

  const click = (at: number, choose: boolean): void => {
    hands.cursor(Math.round(at));
    if (choose) select(at);
  };

  const select = (at: number): void => {
    const view = hands.view();
    const reach = (2 / view.width) * view.length;
    const own = hands.own();
    const rows = own.visible(at - reach, at + reach);
    const shortest = rows.map((row) => own.at(row)).sort((a, b) => a.stop - a.start - (b.stop - b.start))[0];
    if (shortest) hands.select(shortest.item);
  };

  const wheel = (event: WheelEvent, element: HTMLElement): void => {
    event.preventDefault();
    const { x } = place(event, element);
    const view = hands.view();
    if (event.ctrlKey || event.metaKey) hands.zoom(Math.exp(event.deltaY / 300), Math.max(0, x));
    else if (event.altKey) hands.scroll(Math.sign(event.deltaY) * 4);
    else hands.move(view.start + ((event.deltaX || event.deltaY) / view.width) * view.length);
  };

  for (const [element, inLane] of [[scene.overlay.canvas, false], [scene.lanes.canvas, true], [scene.strip.canvas, false]] as const) {
    on(element, "pointerdown", (event) => begin(event, element, inLane));
    on(element, "wheel", (event) => wheel(event, element));
    on(element, "dblclick", (event) => select(sampleAt(hands.view(), place(event, element).x)));
    on(element, "pointermove", (event) => {
      const { x, y } = place(event, element);
      const holder = inLane ? element : scene.panel;
      holder.classList.toggle("edge", (!inLane || y < LANE_HEIGHT) && nearby(x, inLane) !== null);
    });
  }
  for (const [element, chooses] of [[scene.overview.canvas, false], [scene.place.canvas, true]] as const) {
    on(element, "pointerdown", (event) => {
      let part = place(event, element).x / hands.view().width;
      const travel = (x: number): void => {
        part = x / hands.view().width;
        hands.centre(part);
      };
      travel(place(event, element).x);
      drag(event, element, travel, () => { if (chooses) hands.choose(part); });
    });
    on(element, "wheel", (event) => wheel(event, element));
  }
  return () => listening.abort();
}
