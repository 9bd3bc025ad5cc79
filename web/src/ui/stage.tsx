// The place where a view paints the current entry; views are swapped as the queue crosses desks.
import { effect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { taskKeys } from "../core/keymaps.ts";
import { painted } from "../core/latency.ts";
import type { Session } from "../core/session.ts";
import type { QueueEntry, View } from "../view.ts";
import { loadView, warmView } from "../views/index.ts";
import { classCommands } from "./commands.ts";

const PREFETCHED = 20;

export function Stage({ session }: { session: Session }) {
  const root = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const stage = new Performer(session, root.current!);
    const stop = effect(() => {
      const entry = session.queue.current.value;
      void session.settings.value.blind;
      if (entry) stage.show(entry);
      else stage.clear();
    });
    const stopAhead = effect(() => {
      void session.queue.entries.value; // another order: what comes next may not be here yet
      stage.soon();
    });
    return () => { stop(); stopAhead(); stage.clear(); };
  }, [session]);
  return <div class="stage" ref={root} />;
}

class Performer {
  private readonly session: Session;
  private readonly root: HTMLElement;
  private view: View | null = null;
  private desk: string | null = null;
  private forget: Array<() => void> = [];
  private wanted: QueueEntry | null = null;
  private busy = false;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(session: Session, root: HTMLElement) {
    this.session = session;
    this.root = root;
  }

  /** Paints the newest wanted entry; those that were asked for meanwhile are skipped. */
  show(entry: QueueEntry): void {
    this.wanted = entry;
    if (!this.busy) void this.session.guard(() => this.work());
  }

  private async work(): Promise<void> {
    this.busy = true;
    try {
      while (this.wanted) {
        const entry = this.wanted;
        this.wanted = null;
        if (entry.desk !== this.desk) await this.change(entry.desk);
        const shown = this.view?.show(entry);
        if (shown) await shown;
        if (!this.wanted) {
          painted();
          this.session.shown();
        }
      }
    } finally {
      this.busy = false;
    }
    this.soon();
  }

  /** Prefetches when nothing is being painted. */
  soon(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => { if (!this.busy) this.prefetch(); }, 0);
  }

  private async change(key: string): Promise<void> {
    this.clear();
    const desk = this.session.deskInfo(key);
    if (!desk) throw new Error(`Expected a desk of this project; got ${key.slice(0, 12)}.`);
    const [view] = await Promise.all([loadView(desk.view), this.session.desks.ensure(key)]);
    await view.mount(this.root, this.session.context(desk));
    this.view = view;
    this.desk = key;
    this.session.keys.ofTask.value = taskKeys(desk.task);
    this.forget = [
      this.session.keys.add("This view", view.commands?.() ?? []),
      this.session.keys.add("Classes", classCommands(this.session, desk)),
    ];
  }

  private prefetch(): void {
    for (const entry of this.session.queue.ahead(PREFETCHED)) {
      if (entry.desk === this.desk) this.view?.prefetch?.(entry);
      else warmView(this.session.deskInfo(entry.desk)?.view ?? "");
    }
  }

  clear(): void {
    clearTimeout(this.timer);
    this.view?.unmount();
    this.session.order.value = null;
    this.root.replaceChildren();
    for (const forget of this.forget) forget();
    this.forget = [];
    this.view = null;
    this.desk = null;
  }
}
