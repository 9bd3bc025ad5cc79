// JSON of the server's routes that the shell itself uses.
import type { DeskInfo, EditKind, QueueEntry } from "../view.ts";

export interface Project {
  name: string;
  id: string;
  version: string;
  desks: DeskInfo[];
  readers: string[];
  position: number;
}

export interface EditJson {
  uuid: string;
  kind: EditKind;
  base: string;
  items: number[];
  reviewer: string;
  when_s: number;
  payload: Record<string, unknown>;
  group: string | null;
  role: string;
  parent: string | null;
  took_s: number | null;
}

export interface Minutes {
  estimate: number;
  low: number | null;
  high: number | null;
}

export interface Residual {
  estimate: number | null;
  upper: number | null;
  n: number;
  sentence: string;
}

export interface QueueAnswer {
  total: number;
  done: number;
  left: number;
  minutes_left: Minutes | null;
  residual: Residual | null;
  policy: string;
  entries: QueueEntry[];
}

export interface StackEntry {
  target: string;
  /** All sets that the step was made on. */
  bases: string[];
  text: string;
  when_s: number;
  items: Array<{ base: string; items: number[] }>;
}

export interface Acknowledgement {
  acknowledged: string[];
  position: number;
}
