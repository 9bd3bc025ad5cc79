import assert from "node:assert/strict";
import { test } from "node:test";
import { Camera, nearest } from "./camera.ts";

const x = [0, 10, NaN], y = [0, 5, 2];
const fitted = (): Camera => {
  const camera = new Camera();
  camera.fit(x, y, { width: 300, height: 200 }, 20);
  return camera;
};

test("everything is in sight, on one scale for both axes, and y grows upwards", () => {
  const camera = fitted();
  const [[left, low], [right, high]] = [camera.project(0, 0), camera.project(10, 5)];
  assert.ok(Math.min(left, high) >= 20 && right <= 280 && low <= 180);
  assert.ok(Math.abs((right - left) / 10 - (low - high) / 5) < 1e-9);
  assert.deepEqual(camera.toMap(...camera.project(3, 4)).map((v) => Math.round(1e6 * v) / 1e6), [3, 4]);
});

test("what is under the pointer stays there when one zooms", () => {
  const camera = fitted();
  const before = camera.toMap(77, 33);
  camera.zoom(2.5, 77, 33);
  const after = camera.toMap(77, 33);
  assert.ok(Math.abs(before[0] - after[0]) + Math.abs(before[1] - after[1]) < 1e-9);
  assert.ok(camera.isMoved);
});

test("a click finds the nearest unit within reach, and none that has no place", () => {
  const camera = fitted();
  const [px, py] = camera.project(10, 5);
  assert.equal(nearest(camera, x, y, px + 3, py - 3, 12), 1);
  assert.equal(nearest(camera, x, y, px + 30, py, 12), -1);
  assert.equal(nearest(camera, [NaN], [NaN], px, py, 1e9), -1);
});
