// Words and keys of the units view.
import type { Cut } from "./data.ts";

const WORDS: Record<string, string> = {
  time: "time_s", time_s: "time_s", t: "time_s", amplitude: "amplitude", amp: "amplitude", pc1: "pc1", pc2: "pc2",
  component1: "pc1", component2: "pc2", depth: "depth_um", depth_um: "depth_um", y: "depth_um",
};

/** "amplitude < -120" as a cut; undefined when it is not one. */
export function readCut(text: string): Cut | undefined {
  const found = /^\s*([a-z_0-9]+)\s*(<|>)\s*(-?\d+(?:\.\d+)?(?:e-?\d+)?)\s*$/i.exec(text);
  const axis = found ? WORDS[found[1]!.toLowerCase()] : undefined;
  if (!found || !axis) return undefined;
  return { x: axis, threshold: Number(found[3]), above: found[2] === ">" };
}

export const CUT_HELP = "`/split amplitude < -120`: by time, amplitude, pc1, pc2 or depth";
