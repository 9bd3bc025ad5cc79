// The view of sorted units: one unit, its neighbours, and what a merge or a split would make.
import { UnitsView } from "./view.ts";
import type { View } from "../../view.ts";

export function create(): View {
  return new UnitsView();
}
