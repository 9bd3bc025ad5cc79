import assert from "node:assert/strict";
import { test } from "node:test";
import { centre, filled, grown, outline, reweighed, sides, Stamp, stroke, united, waist, without } from "./masks.ts";

const grid = { width: 8, height: 6 };
const at = (x: number, y: number) => y * grid.width + x;
const block = (x0: number, y0: number, x1: number, y1: number) => {
  const found: number[] = [];
  for (let y = y0; y < y1; y++) for (let x = x0; x < x1; x++) found.push(at(x, y));
  return Int32Array.from(found);
};
const pieces = (flat: Float32Array) => Array.from({ length: flat.length / 4 }, (_, i) => Array.from(flat.subarray(4 * i, 4 * i + 4)).join()).sort();

test("the outline of a block is its four sides", () => {
  assert.deepEqual(pieces(outline(block(1, 2, 4, 5), new Stamp(grid))), ["1,2,1,5", "1,2,4,2", "1,5,4,5", "4,2,4,5"]);
});

test("outlines touch the border, go around holes, and close", () => {
  const ring = without(block(0, 0, 3, 3), new Set([at(1, 1)]));
  const found = pieces(outline(ring, new Stamp(grid)));
  assert.deepEqual(found, ["0,0,0,3", "0,0,3,0", "0,3,3,3", "1,1,1,2", "1,1,2,1", "1,2,2,2", "2,1,2,2", "3,0,3,3"]);
  const right = outline(block(7, 0, 8, 6), new Stamp(grid));
  assert.equal(right.length, 16);
});

test("pieces add up to every edge between inside and outside", () => {
  const some = Int32Array.from([at(0, 0), at(2, 0), at(1, 1), at(2, 1), at(3, 1), at(2, 2), at(7, 5)]);
  const inside = new Set(some);
  let edges = 0;
  for (const p of some) {
    const y = Math.floor(p / 8), x = p % 8;
    edges += [[x - 1, y], [x + 1, y], [x, y - 1], [x, y + 1]].filter(([a, b]) => a! < 0 || b! < 0 || a! > 7 || b! > 5 || !inside.has(at(a!, b!))).length;
  }
  const flat = outline(some, new Stamp(grid));
  let length = 0;
  for (let i = 0; i < flat.length; i += 4) length += Math.abs(flat[i + 2]! - flat[i]!) + Math.abs(flat[i + 3]! - flat[i + 1]!);
  assert.equal(length, edges);
});

test("a stroke is as wide as the brush and has no gaps", () => {
  assert.deepEqual([...stroke([2.5, 2.5], 0.4, grid)], [at(2, 2)]);
  const line = stroke([0.5, 2.5, 7.5, 2.5], 0.6, grid);
  for (let x = 0; x < 8; x++) assert.ok(line.has(at(x, 2)));
  assert.equal(stroke([3.5, 3.5], 1.1, grid).size, 5);
  assert.ok([...stroke([0, 0], 3, grid)].every((p) => p >= 0));
});

test("a closed path fills the pixels whose centres it holds", () => {
  assert.deepEqual([...filled([1, 1, 4, 1, 4, 3, 1, 3], grid)], [...block(1, 1, 4, 3)]);
  assert.deepEqual([...filled([2.2, 2.2, 2.3, 2.2, 2.3, 2.3], grid)], [at(2, 2)]);
  assert.equal(filled([-5, -5, 50, -5, 50, 50, -5, 50], grid).length, 48);
});

test("a line parts a region, and its waist lies across its length", () => {
  const bar = block(1, 2, 7, 4);
  const [a, b] = sides(bar, [4, 0, 4, 6], grid);
  assert.deepEqual([a.length, b.length], [6, 6]);
  const [c, d] = sides(bar, waist(bar, grid), grid);
  assert.deepEqual([c.length, d.length], [6, 6]);
  assert.equal(sides(bar, [0, 0, 0, 6], grid).filter((side) => side.length).length, 1);
});

test("growing and shrinking undo each other on a block", () => {
  const one = block(2, 2, 5, 5);
  assert.deepEqual([...grown(grown(one, 1, grid), -1, grid)], [...one]);
  assert.deepEqual([...grown(one, -1, grid)], [at(3, 3)]);
});

test("pixels keep their weights and new ones get the mean", () => {
  const pixels = united([1, 3], [2]);
  assert.deepEqual([...pixels], [1, 2, 3]);
  assert.deepEqual([...reweighed(pixels, Int32Array.from([1, 3]), Float32Array.from([1, 3]))], [1, 2, 3]);
  assert.deepEqual(centre(block(0, 0, 2, 2), grid), [1, 1]);
});
