import assert from "node:assert/strict";
import { test } from "node:test";
import { Camera } from "./camera.ts";

const pane = { width: 400, height: 300 };

test("a place under the pointer stays there when zoomed, and both ways agree", () => {
  const camera = new Camera();
  let moves = 0;
  camera.onMove(() => { moves++; });
  camera.fit({ width: 512, height: 512 }, pane);
  const before = camera.toField(100, 50, pane);
  camera.zoom(3, 100, 50, pane);
  const after = camera.toField(100, 50, pane);
  assert.ok(Math.hypot(after[0] - before[0], after[1] - before[1]) < 1e-9);
  const [px, py] = camera.toScreen(...after, pane);
  assert.ok(Math.hypot(px - 100, py - 50) < 1e-9);
  assert.equal(moves, 2);
});

test("a field that was moved is not fitted by itself, and a place outside is brought in", () => {
  const camera = new Camera();
  camera.fit({ width: 100, height: 100 }, pane);
  camera.zoom(10, 200, 150, pane);
  const { scale } = camera;
  camera.fit({ width: 100, height: 100 }, pane);
  assert.equal(camera.scale, scale);
  camera.reveal(camera.x, camera.y, pane);
  camera.reveal(90, 90, pane);
  assert.deepEqual([camera.x, camera.y], [90, 90]);
  camera.fit({ width: 100, height: 100 }, pane, true);
  assert.deepEqual([camera.x, camera.y], [50, 50]);
});
