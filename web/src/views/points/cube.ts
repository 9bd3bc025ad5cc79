// Where a volume lies on three panes: xy, xz below it and yz beside it move together.
import type { Size } from "../regions/camera.ts";
import { Camera } from "../regions/camera.ts";

export type Axis = "xy" | "xz" | "yz";
export const AXES: readonly Axis[] = ["xy", "xz", "yz"];

/** Voxels; centres of voxels are at integers. */
export interface Place {
  x: number;
  y: number;
  z: number;
}

/** Names of the two axes that a pane shows, to the right and down; and of the one across. */
export const SIDES: Record<Axis, readonly [keyof Place, keyof Place, keyof Place]> = {
  xy: ["x", "y", "z"], xz: ["x", "z", "y"], yz: ["z", "y", "x"],
};

export class Cube {
  /** Number of voxels. */
  readonly voxels: Place;
  /** Size of a voxel, in units of the smallest side. */
  readonly side: Place;
  readonly camera = new Camera();
  private depth: number;

  /** `shape` and `spacing` along z, y, x; without a spacing voxels are drawn as cubes. */
  constructor(shape: readonly [number, number, number], spacing: readonly [number, number, number] | null) {
    const [z, y, x] = shape;
    this.voxels = { x, y, z };
    const least = spacing ? Math.min(...spacing) : 1;
    this.side = spacing ? { x: spacing[2] / least, y: spacing[1] / least, z: spacing[0] / least } : { x: 1, y: 1, z: 1 };
    this.depth = (z * this.side.z) / 2;
  }

  /** How far the volume reaches, in units. */
  get size(): Place {
    const { voxels, side } = this;
    return { x: voxels.x * side.x, y: voxels.y * side.y, z: voxels.z * side.z };
  }

  /** Middle of a voxel, or a place between, in units. */
  unit(axis: keyof Place, at: number): number {
    return (at + 0.5) * this.side[axis];
  }

  /** Shows the whole volume in panes of these sizes, unless the reader has moved it; `again` even then. */
  fit(panes: Record<Axis, Size>, again = false): void {
    const { x, y, z } = this.size;
    const all = [panes.xy.width / x, panes.xy.height / y];
    if (this.voxels.z > 1) all.push(panes.xz.width / x, panes.xz.height / z, panes.yz.width / z, panes.yz.height / y);
    const scale = Math.min(...all);
    this.camera.fit({ width: x, height: y }, { width: scale * x, height: scale * y }, again);
    this.depth = z / 2;
  }

  toScreen(axis: Axis, place: Place, pane: Size): [number, number] {
    const [right, down] = SIDES[axis];
    const { scale } = this.camera;
    return [
      pane.width / 2 + (this.unit(right, place[right]) - this.centre(right)) * scale,
      pane.height / 2 + (this.unit(down, place[down]) - this.centre(down)) * scale,
    ];
  }

  /** The place under a pointer; across the pane it is that of `at`. */
  toPlace(axis: Axis, px: number, py: number, pane: Size, at: Place): Place {
    const [right, down] = SIDES[axis];
    const { scale } = this.camera;
    const found = { ...at };
    found[right] = (this.centre(right) + (px - pane.width / 2) / scale) / this.side[right] - 0.5;
    found[down] = (this.centre(down) + (py - pane.height / 2) / scale) / this.side[down] - 0.5;
    return found;
  }

  isInside(place: Place): boolean {
    return (["x", "y", "z"] as const).every((axis) => place[axis] >= -0.5 && place[axis] <= this.voxels[axis] - 0.5);
  }

  /** The voxel at a place, brought inside. */
  voxel(place: Place): Place {
    const one = (axis: keyof Place) => Math.min(this.voxels[axis] - 1, Math.max(0, Math.round(place[axis])));
    return { x: one("x"), y: one("y"), z: one("z") };
  }

  pan(axis: Axis, dx: number, dy: number): void {
    const { camera } = this;
    if (axis === "xy") return camera.pan(dx, dy);
    this.depth -= (axis === "xz" ? dy : dx) / camera.scale;
    camera.pan(axis === "xz" ? dx : 0, axis === "xz" ? 0 : dy);
  }

  zoom(axis: Axis, factor: number, px: number, py: number, pane: Size): void {
    const { camera } = this;
    if (axis === "xy") return camera.zoom(factor, px, py, pane);
    const before = camera.scale;
    const across = axis === "xz" ? py - pane.height / 2 : px - pane.width / 2;
    const z = this.depth + across / before;
    if (axis === "xz") camera.zoom(factor, px, pane.height / 2, pane);
    else camera.zoom(factor, pane.width / 2, py, pane);
    this.depth = z - across / camera.scale;
    camera.pan(0, 0); // tells the panes
  }

  private centre(axis: keyof Place): number {
    return axis === "z" ? this.depth : this.camera[axis];
  }
}
