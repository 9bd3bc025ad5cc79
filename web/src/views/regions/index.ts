// REGIONS of a field: cells and what was taken for them, drawn on pictures of the field.
import type { View } from "../../view.ts";
import { RegionsView } from "./view.ts";

export function create(): View {
  return new RegionsView();
}
