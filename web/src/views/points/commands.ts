// Keys of the view of tracks.
import type { Command } from "../../view.ts";
import type { Hand } from "./hand.ts";
import type { PointsView } from "./view.ts";

export function commandsOf(view: PointsView, hand: Hand): Command[] {
  const nudge = (name: string, key: string, help: string, by: { x?: number; y?: number; z?: number }): Command =>
    ({ name: `nudge-${name}`, help, key, run: () => hand.nudge(by) });
  return [
    { name: "volume-after", help: "Next volume", key: "ArrowRight", run: () => view.step(1) },
    { name: "volume-before", help: "Volume before", key: "ArrowLeft", run: () => view.step(-1) },
    { name: "volumes-after", help: "Ten volumes on", key: "PageDown", run: () => view.step(10) },
    { name: "volumes-before", help: "Ten volumes back", key: "PageUp", run: () => view.step(-10) },
    { name: "volume", help: "`/volume 120`: go to a volume", run: (rest) => (/^\d+$/.test(rest.trim()) ? view.go(Number(rest)) : undefined) },
    { name: "plane-up", help: "Plane above", key: "ArrowUp", run: () => view.deeper(-1) },
    { name: "plane-down", help: "Plane below", key: "ArrowDown", run: () => view.deeper(1) },
    { name: "cursor", help: "`/cursor 40 30 7`: the cursor to x, y, z", run: (rest) => {
      const [x, y, z] = rest.trim().split(/[\s,]+/).map(Number);
      return [x, y, z].every(Number.isFinite) ? view.look({ x: x!, y: y!, z: z! }) : undefined;
    } },
    { name: "worst", help: "Next worst volume: most points expected to be wrong", key: "]", run: () => view.worst() },
    { name: "worst-back", help: "Back to the volume before in that order", key: "[", run: () => view.worst(true) },
    { name: "annotate-next", help: "The volume to annotate next: expected to put most neurons right, over all like it", key: "l", run: () => view.loop.next() },
    { name: "alike", help: "Corrections reach similar volumes, or stay in theirs", run: () => view.loop.toggle() },
    { name: "volume-right", help: "All points of this volume are right; on to the next worst", key: "Enter", run: () => hand.volumeRight() },
    { name: "doubt", help: "Next doubtful point, the least sure first", key: ".", run: () => view.doubt() },
    { name: "doubt-back", help: "Back to the doubtful point before", key: ",", run: () => view.doubt(true) },
    { name: "point-right", help: "This point is right; on to the next doubtful one", key: "e", run: () => hand.pointRight() },
    { name: "point-unsure", help: "Unsure of this point; on to the next doubtful one", key: "q", run: () => hand.pointUnsure() },
    { name: "put-here", help: "Put the neuron at the cursor: moved, or added where it is missing", key: "a", run: () => hand.put(view.cursor) },
    { name: "put", help: "A click puts the neuron there, until pressed again; Alt+click once", key: "p", run: () => view.toggle("puts") },
    nudge("left", "Shift+ArrowLeft", "The point a voxel to the left", { x: -1 }),
    nudge("right", "Shift+ArrowRight", "The point a voxel to the right", { x: 1 }),
    nudge("up", "Shift+ArrowUp", "The point a voxel up", { y: -1 }),
    nudge("down", "Shift+ArrowDown", "The point a voxel down", { y: 1 }),
    nudge("above", "Shift+PageUp", "The point a plane up", { z: -1 }),
    nudge("below", "Shift+PageDown", "The point a plane down", { z: 1 }),
    { name: "hide", help: "Not to be seen in this volume, or to be seen again", key: "v", run: () => hand.hide() },
    { name: "mark", help: "Mark this neuron, to swap or merge; Shift+click marks, too", key: "m", run: () => hand.mark(view.item) },
    { name: "unmark", help: "Let go of what is marked", key: "Escape", run: () => hand.unmark() },
    { name: "swap", help: "Swap identity with the marked neuron from this volume on; `/swap 7`", key: "s", run: (rest) => hand.swap(rest) },
    { name: "merge", help: "Merge with the marked track; `/merge 7`", key: "g", run: (rest) => hand.merge(rest) },
    { name: "split-track", help: "From this volume on it is another neuron", key: "k", run: () => hand.split() },
    { name: "new-track", help: "A neuron that no track has, at the cursor", key: "d", run: () => hand.create() },
    { name: "remove-track", help: "Remove the track: no neuron", key: "Delete", run: () => hand.remove() },
    { name: "projections", help: "Planes or projections", key: "i", run: () => view.toggle("flat") },
    { name: "picture", help: "Next picture: the recording, synthetic volumes; `/picture synthetic 2`", key: "y", run: (rest) => view.picture(rest.trim()) },
    { name: "channels", help: "Both channels, the first, the second", key: "b", run: () => view.channels() },
    { name: "colour", help: "Colour neurons by identity, confidence, what is decided", key: "c", run: () => view.colour() },
    { name: "names", help: "Names of all neurons", key: "o", run: () => view.toggle("names") },
    { name: "masks", help: "Outlines of the masks of this movie", key: "r", run: () => view.toggleMasks() },
    { name: "trail", help: "Where the neuron was and will be", key: "t", run: () => view.toggle("trails") },
    { name: "closer", help: "Larger", key: "+", run: () => view.zoom(1.5) },
    { name: "farther", help: "Smaller", key: "-", run: () => view.zoom(1 / 1.5) },
    { name: "whole-field", help: "The whole volume", key: "0", run: () => view.fit() },
    { name: "longer", help: "Confidence: more volumes", key: "Shift+_", run: () => view.zoomTime(1.5) },
    { name: "shorter", help: "Confidence: fewer volumes", key: "Shift+*", run: () => view.zoomTime(1 / 1.5) },
  ];
}
