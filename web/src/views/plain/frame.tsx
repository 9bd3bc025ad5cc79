// What the plain views share: the list of items on the left, the current one on the right.
import type { Signal } from "@preact/signals";
import { signal } from "@preact/signals";
import type { ComponentType } from "preact";
import { render } from "preact";
import type { Columns, QueueEntry, View, ViewContext } from "../../view.ts";
import "./plain.css";
import { ItemList } from "./list.tsx";

/** What is known of a desk's items besides the table. */
export interface DeskFacts {
  units: Record<string, string>;
  /** Shape per item of each array. */
  arrays: Record<string, number[]>;
  context: Record<string, unknown>;
}

export interface DetailProps {
  context: ViewContext;
  entry: QueueEntry;
  /** The item's rows, as they stand. */
  rows: Columns;
  facts: DeskFacts;
}

const KEPT = 200;

/** A view whose right side is one component; rows are prefetched and kept for the last items. */
export function plainView(Detail: ComponentType<DetailProps>): View {
  let context: ViewContext;
  let root: HTMLElement;
  let facts: Promise<DeskFacts>;
  let table: Columns | undefined;
  const shown: Signal<DetailProps | null> = signal(null);
  const rows = new Map<number, Promise<Columns>>();

  function rowsOf(item: number): Promise<Columns> {
    if (context.items.value !== table) {
      table = context.items.value; // fetched anew: rows may have moved
      rows.clear();
    }
    let found = rows.get(item);
    if (!found) {
      found = context.api.table(`desks/${context.desk.key}/rows`, { items: item });
      found.catch(() => rows.delete(item));
      rows.set(item, found);
      if (rows.size > KEPT) rows.delete(rows.keys().next().value!);
    }
    return found;
  }

  function Frame() {
    const props = shown.value;
    if (!props) return null;
    return (
      <div class="plain">
        <ItemList context={context} current={props.entry.item} />
        <section class="detail" aria-label={`Item ${props.entry.item}`}><Detail {...props} /></section>
      </div>
    );
  }

  return {
    mount(element, given) {
      root = element;
      context = given;
      facts = context.api.json<DeskFacts>(`desks/${context.desk.key}/facts`);
      render(<Frame />, root);
    },
    async show(entry) {
      shown.value = { context, entry, rows: await rowsOf(entry.item), facts: await facts };
    },
    prefetch(entry) {
      void rowsOf(entry.item).catch(() => undefined);
    },
    unmount() {
      render(null, root);
    },
  };
}

/** All that the item table says of an item, with units. */
export function Facts({ context, entry, facts }: Omit<DetailProps, "rows">) {
  const table = context.items.value;
  if (!table) return null;
  const items = table.numbers("item");
  const row = Array.prototype.indexOf.call(items, entry.item);
  if (row < 0) return null;
  const own = new Set(["item", "state", "label", "proposed", "confidence", "class_item", "decided_by"]);
  const names = table.names.filter((name) => !own.has(name));
  if (!names.length) return null;
  return (
    <table class="facts">
      <tbody>
        {names.map((name) => (
          <tr key={name}><th>{name.replaceAll("_", " ")}</th><td class="num">{told(table.values(name)[row])}</td><td class="muted">{facts.units[name]}</td></tr>
        ))}
      </tbody>
    </table>
  );
}

export function told(value: unknown): string {
  if (value === null || value === undefined || (typeof value === "number" && Number.isNaN(value))) return "–";
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : value.toPrecision(4);
  if (Array.isArray(value)) return value.slice(0, 8).map(told).join(", ") + (value.length > 8 ? " …" : "");
  return String(value);
}
