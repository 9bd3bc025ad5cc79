// The view of cell types: a unit's waveform and correlograms against those of the classes, and the map.
import { CelltypesView } from "./view.ts";
import type { View } from "../../view.ts";

export function create(): View {
  return new CelltypesView();
}
