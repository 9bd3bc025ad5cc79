import assert from "node:assert/strict";
import { test } from "node:test";
import { AXES, Cube } from "./cube.ts";

const pane = { width: 300, height: 200 };
const panes = { xy: pane, xz: { width: 300, height: 80 }, yz: { width: 90, height: 200 } };

test("planes are as far apart as the voxels say, and both ways agree on every pane", () => {
  const cube = new Cube([12, 64, 112], [2, 0.5, 0.5]);
  assert.deepEqual(cube.size, { x: 112, y: 64, z: 48 });
  cube.fit(panes);
  const place = { x: 20.25, y: 31, z: 7.5 };
  for (const axis of AXES) {
    const found = cube.toPlace(axis, ...cube.toScreen(axis, place, panes[axis]), panes[axis], place);
    for (const side of ["x", "y", "z"] as const) assert.ok(Math.abs(found[side] - place[side]) < 1e-9);
  }
  const [left] = cube.toScreen("yz", { ...place, z: 7 }, panes.yz), [right] = cube.toScreen("yz", { ...place, z: 8 }, panes.yz);
  const [, up] = cube.toScreen("xy", place, panes.xy), [, down] = cube.toScreen("xy", { ...place, y: 32 }, panes.xy);
  assert.ok(Math.abs((right - left) / (down - up) - 4) < 1e-9);
});

test("what is under the pointer stays there when zoomed, on the side panes too", () => {
  const cube = new Cube([12, 64, 112], null);
  cube.fit(panes);
  for (const axis of AXES) {
    const at = { x: 50, y: 30, z: 6 };
    const before = cube.toPlace(axis, 70, 60, panes[axis], at);
    cube.zoom(axis, 2, 70, 60, panes[axis]);
    const after = cube.toPlace(axis, 70, 60, panes[axis], at);
    for (const side of ["x", "y", "z"] as const) assert.ok(Math.abs(before[side] - after[side]) < 1e-9, axis);
  }
});

test("the panes beside move with the first, and places outside are told apart", () => {
  const cube = new Cube([12, 64, 112], null);
  cube.fit(panes);
  const before = cube.toScreen("xz", { x: 5, y: 5, z: 5 }, panes.xz);
  cube.pan("xy", 10, 4);
  const after = cube.toScreen("xz", { x: 5, y: 5, z: 5 }, panes.xz);
  assert.ok(Math.abs(after[0] - before[0] - 10) < 1e-9 && Math.abs(after[1] - before[1]) < 1e-9);
  assert.ok(cube.isInside({ x: -0.4, y: 0, z: 11.4 }));
  assert.ok(!cube.isInside({ x: 112, y: 0, z: 0 }));
  assert.deepEqual(cube.voxel({ x: 111.8, y: -3, z: 4.4 }), { x: 111, y: 0, z: 4 });
});
