// The project's desks: their item tables, and which items' decisions are on their way.
import type { Signal } from "@preact/signals";
import { signal } from "@preact/signals";
import type { Api, DeskInfo, QueueEntry } from "../view.ts";
import { withColours } from "./colours.ts";
import { impliedStates, isAnswer } from "./deciding.ts";
import { DeskItems } from "./deskitems.ts";
import type { EditJson, Project } from "./wire.ts";

export class Desks {
  readonly project: Signal<Project | null> = signal(null);
  private readonly api: Api;
  private readonly items = new Map<string, DeskItems>();
  private readonly loads = new Map<string, Promise<void>>();
  /** "desk:item" -> decisions that the server has not acknowledged. */
  private readonly pending = new Map<string, number>();
  /** "desk:item" -> when it was decided here (ms). */
  private readonly decided = new Map<string, number>();

  constructor(api: Api) {
    this.api = api;
  }

  async load(): Promise<Project> {
    const project = await this.api.json<Project>("project");
    this.project.value = { ...project, desks: project.desks.map(withColours) };
    return project;
  }

  /** Forgets what one reader saw and did. */
  clear(): void {
    this.items.clear();
    this.loads.clear();
    this.pending.clear();
    this.decided.clear();
  }

  info(key: string | null): DeskInfo | null {
    return this.project.value?.desks.find((desk) => desk.key === key) ?? null;
  }

  /** The desk that edits on this base belong to: the base itself or its classes. */
  ofBase(base: string): DeskInfo | undefined {
    return this.project.value?.desks.find((desk) => desk.key === base || desk.classes === base);
  }

  itemsOf(desk: string): DeskItems {
    let items = this.items.get(desk);
    if (!items) this.items.set(desk, (items = new DeskItems()));
    return items;
  }

  /** Fetches a desk's item table once. */
  ensure(desk: string): Promise<void> {
    let load = this.loads.get(desk);
    if (!load) {
      load = this.reload(desk).catch((error) => {
        this.loads.delete(desk);
        throw error;
      });
      this.loads.set(desk, load);
    }
    return load;
  }

  async reload(desk: string): Promise<void> {
    const table = await this.api.table(`desks/${desk}/items`);
    const waiting = [...this.pending.keys()].filter((key) => key.startsWith(`${desk}:`)).map((key) => Number(key.split(":")[1]));
    this.itemsOf(desk).load(table, new Set(waiting));
  }

  /** Fetches again what was fetched, of these desks or of all. */
  async reloadLoaded(only: ReadonlySet<string> = new Set(this.loads.keys())): Promise<void> {
    for (const key of only) if (this.loads.has(key)) await this.reload(key);
  }

  /** A decision on an item leaves; `release` takes the mark away. */
  mark(desk: string, item: number): void {
    const key = `${desk}:${item}`;
    this.decided.set(key, performance.now());
    this.pending.set(key, (this.pending.get(key) ?? 0) + 1);
  }

  /** The server has acknowledged or refused these. */
  release(edits: readonly EditJson[]): void {
    if (!isAnswer(edits)) return; // notes and flags were never marked
    for (const edit of edits) {
      const desk = this.ofBase(edit.base);
      for (const item of desk ? this.itemsOfEdit(desk, edit) : []) {
        const key = `${desk!.key}:${item}`;
        const left = (this.pending.get(key) ?? 0) - 1;
        if (left > 0) this.pending.set(key, left);
        else this.pending.delete(key);
      }
    }
  }

  /** An item that was decided and undone may be asked again. */
  reopen(desk: string, item: number): void {
    this.decided.delete(`${desk}:${item}`);
  }

  /**
   * Tells, for an answer of the server that is asked for now, which entries are settled here: it
   * may be older than an acknowledgement that comes before it.
   */
  settledFromNow(): (entry: QueueEntry) => boolean {
    const started = performance.now();
    const onTheWay = new Set(this.pending.keys());
    return (entry) => {
      const key = `${entry.desk}:${entry.item}`;
      return onTheWay.has(key) || this.pending.has(key) || (this.decided.get(key) ?? -1) > started;
    };
  }

  /** Paints decisions of an earlier page that still wait. */
  async paint(edits: readonly EditJson[]): Promise<void> {
    for (const edit of edits) {
      const desk = this.ofBase(edit.base);
      if (!desk) continue;
      await this.ensure(desk.key);
      const items = this.itemsOf(desk.key);
      const patches = impliedStates(desk, edit, (item) => items.ofClass(item));
      items.patch(patches);
      for (const [item] of patches) this.mark(desk.key, item);
    }
  }

  /** Items of the desk that an edit is about. */
  itemsOfEdit(desk: DeskInfo, edit: Pick<EditJson, "kind" | "base" | "items" | "payload">): number[] {
    if (edit.base === desk.key) return edit.items;
    if (edit.kind === "add") return ((edit.payload.rows ?? []) as Array<{ target: number }>).map((row) => row.target);
    const items = this.itemsOf(desk.key);
    return edit.items.map((item) => items.ofClass(item)).filter((item) => item !== undefined);
  }
}
