// From span to span in time, also for a reader who is blind and knows of one epoch only.
import type { ViewContext } from "../../view.ts";
import type { SpanTable } from "./spantable.ts";
import type { Viewport } from "./viewport.ts";

/** What is on the screen. */
interface Here {
  own(): SpanTable;
  selected(): number | null;
  hidden(): boolean;
  /** Whether the desk's spans are epochs. */
  epochs(): boolean;
  view(): Viewport;
}

export class Walk {
  private readonly context: ViewContext;
  private readonly here: Here;

  constructor(context: ViewContext, here: Here) {
    this.context = context;
    this.here = here;
  }

  /** Shows the span beside the selected one; false where there is none. */
  step(direction: 1 | -1): boolean {
    const item = this.here.selected();
    const unseen = this.here.hidden() && item !== null ? this.unseen(item, direction) : undefined;
    const beside = unseen ?? this.beside(direction);
    if (beside !== undefined) this.context.goto(beside);
    else this.context.announce(direction > 0 ? "No span follows." : "No span before this one.");
    return beside !== undefined;
  }

  private beside(direction: 1 | -1): number | undefined {
    const own = this.here.own();
    const view = this.here.view();
    const item = this.here.selected();
    const selected = item === null ? undefined : own.get(item);
    let at = selected?.start ?? view.start + (direction > 0 ? -1 : view.length);
    for (let row = own.next(at, direction); row !== undefined; row = own.next(at, direction)) {
      const found = own.item(row);
      if (found >= 0 && this.context.state(found)?.state !== "removed") return found;
      at = own.start(row);
    }
    return undefined;
  }

  /** The epoch beside one of which a blind reader knows no other: their items count up with time. */
  unseen(item: number, direction: 1 | -1): number | undefined {
    const items = this.context.items.value?.numbers("item");
    if (!this.here.epochs() || !items) return undefined;
    const sorted = Float64Array.from(items).sort();
    const at = sorted.indexOf(item);
    return at < 0 ? undefined : sorted[at + direction];
  }

  /** From here on the span that follows in time is next, or what the queue asks. */
  inTime(): void {
    const { order } = this.context;
    const on = order.value === null;
    order.value = on ? (item) => this.after(item) : null;
    this.context.announce(on ? "In time: after a decision comes the span that follows." : "After a decision comes what the queue asks.");
  }

  private after(item: number): number | undefined {
    if (this.here.hidden() && this.here.epochs()) return this.unseen(item, 1);
    const own = this.here.own();
    const row = own.find(item);
    const next = row === undefined ? undefined : own.next(own.start(row), 1);
    return next === undefined || own.item(next) < 0 ? undefined : own.item(next);
  }
}
