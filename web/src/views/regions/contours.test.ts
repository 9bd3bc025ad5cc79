import assert from "node:assert/strict";
import { test } from "node:test";
import { Camera } from "./camera.ts";
import { rasterise } from "./contours.ts";
import { outline, Stamp } from "./masks.ts";

const drawn = (buffer: Uint32Array, width: number) =>
  Array.from({ length: buffer.length / width }, (_, y) => Array.from(buffer.subarray(y * width, (y + 1) * width), (v) => (v ? "#" : ".")).join(""));

test("an outline lies on the edges of its pixels and is cut at the pane", () => {
  const camera = new Camera();
  const pane = { width: 8, height: 8 };
  camera.fit({ width: 4, height: 4 }, pane);
  [camera.scale, camera.x, camera.y] = [2, 2, 2];
  const pieces = outline(Int32Array.from([5, 6, 9, 10]), new Stamp({ width: 4, height: 4 }));
  const buffer = new Uint32Array(64);
  rasterise([{ pieces, colour: [255, 0, 16] }], buffer, 8, 8, camera, pane, 1, 1);
  assert.deepEqual(drawn(buffer, 8), ["........", "........", "..#####.", "..#...#.", "..#...#.", "..#...#.", "..#####.", "........"]);
  assert.equal(buffer[2 * 8 + 2]! >>> 0, 0xff1000ff);
  camera.x = 4;
  buffer.fill(0);
  rasterise([{ pieces, colour: [1, 2, 3] }], buffer, 8, 8, camera, pane, 1, 2);
  assert.ok(drawn(buffer, 8).every((row) => row.slice(4) === "...."));
});
