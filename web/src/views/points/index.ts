// POINTS in volumes: neurons of a moving animal, followed through planes, projections and time.
import type { View } from "../../view.ts";
import { PointsView } from "./view.ts";

export function create(): View {
  return new PointsView();
}
