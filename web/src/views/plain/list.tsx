// A list of all items of a desk; only the rows in sight are in the page, so 100,000 stay fluid.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { ViewContext } from "../../view.ts";

const ROW_PX = 26;
const SPARE = 8;

export function ItemList({ context, current }: { context: ViewContext; current: number }) {
  const box = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(600);
  const [words, setWords] = useState("");
  const table = context.items.value;
  void context.version.value;
  const all = useMemo(() => (table ? Array.from(table.numbers("item")) : []), [table]);
  const items = useMemo(() => {
    const wanted = words.trim().toLowerCase();
    if (!wanted) return all;
    return all.filter((item) => {
      const state = context.state(item);
      return String(item) === wanted || state?.label?.toLowerCase().includes(wanted) || state?.state.includes(wanted);
    });
  }, [all, words, context, context.version.value]);
  const place = useMemo(() => new Map(items.map((item, row) => [item, row])), [items]);

  useEffect(() => {
    const element = box.current!;
    const observer = new ResizeObserver(() => setHeight(element.clientHeight));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    const row = place.get(current);
    const element = box.current;
    if (row === undefined || !element) return;
    const at = row * ROW_PX;
    if (at < element.scrollTop || at + ROW_PX > element.scrollTop + element.clientHeight) {
      element.scrollTop = Math.max(0, at - element.clientHeight / 2);
    }
  }, [current, place]);

  const first = Math.max(0, Math.floor(top / ROW_PX) - SPARE);
  const last = Math.min(items.length, Math.ceil((top + height) / ROW_PX) + SPARE);
  const selected = new Set(context.selection.value);
  const choose = (item: number, event: MouseEvent) => {
    if (!event.shiftKey) return context.goto(item);
    const from = place.get(context.selection.value.at(-1) ?? current) ?? 0, to = place.get(item) ?? 0;
    context.selection.value = items.slice(Math.min(from, to), Math.max(from, to) + 1);
    context.announce(`${context.selection.value.length} items selected: /accept selection, /label NAME selection.`);
  };
  const step = (event: KeyboardEvent) => {
    const by = ({ ArrowDown: 1, ArrowUp: -1, PageDown: 20, PageUp: -20 } as Record<string, number>)[event.key];
    const row = place.get(current);
    if (by === undefined || row === undefined) return;
    event.preventDefault();
    const next = items[Math.max(0, Math.min(items.length - 1, row + by))];
    if (next !== undefined) context.goto(next);
  };
  return (
    <nav class="plainlist" aria-label="Items">
      <input class="line" value={words} placeholder="number, class or state" aria-label="Find items" onInput={(event) => setWords(event.currentTarget.value)} />
      <div ref={box} class="rows" role="listbox" tabIndex={0} aria-label={`${items.length} items`} aria-activedescendant={`item-${current}`}
        onScroll={(event) => setTop(event.currentTarget.scrollTop)} onKeyDown={step}>
        <div class="all" ref={(element) => { if (element) element.style.height = `${items.length * ROW_PX}px`; }}>
          {items.slice(first, last).map((item, index) => {
            const state = context.state(item);
            return (
              <div key={item} id={`item-${item}`} role="option" aria-selected={item === current || selected.has(item)} class={`item ${state?.state ?? ""} ${selected.has(item) ? "selected" : ""}`}
                ref={(element) => { if (element) element.style.transform = `translateY(${(first + index) * ROW_PX}px)`; }}
                onClick={(event) => choose(item, event)}>
                <b>{item}</b><span>{state?.label ?? "–"}</span><span class="muted">{state?.state === "untouched" ? state.confidence?.toFixed(2) ?? "" : state?.state}</span>
              </div>
            );
          })}
        </div>
      </div>
    </nav>
  );
}
