// Lanes as they are drawn: the server's table, and for the reader's own the newest state on the screen.
import type { ViewContext } from "../../view.ts";
import type { LaneSet } from "./lanestore.ts";
import type { LaneScene } from "./stripspaint.ts";
import { isTiling } from "./tiling.ts";

const HIDDEN = { name: "?", colour: "#8c96a0" };
const OTHERS = ["#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#0072b2"];

/** `dragged` is drawn as a draft instead. */
export function laneScenes(set: LaneSet, context: ViewContext, hidden: boolean, dragged: number | null): LaneScene[] {
  const { vocabulary } = context.desk;
  const codes = new Map(vocabulary.map((entry, code) => [entry.name, code]));
  return set.lanes.map((lane, k) => {
    const own = lane.kind === "own";
    const table = own ? set.own : set.tables[k]!;
    const classes = lane.classes.map((name, code) => ({
      name, colour: vocabulary[codes.get(name) ?? -1]?.colour ?? OTHERS[code % OTHERS.length]!,
    }));
    const told = (index: number): string => {
      const item = table.item(index);
      if (item === dragged && own) return "removed";
      return (own ? context.state(item)?.state : undefined) ?? set.states[table.state(index)] ?? "added";
    };
    return {
      name: own ? `${lane.name} (you)` : lane.name, own, table,
      rates: lane.kind === "reader" || (lane.kind === "other" && isTiling(table)),
      classOf: (code) => classes[code] ?? HIDDEN,
      stateOf: told,
      codeOf: (index) => {
        const label = table.label(index);
        if (!own || table.item(index) < 0) return label;
        const now = context.state(table.item(index));
        if (!now || now.label === null || (hidden && now.state === "untouched")) return label;
        return codes.get(now.label) ?? label;
      },
    };
  });
}
