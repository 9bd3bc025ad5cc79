import type { QueueEntry, View, ViewContext } from "../../view.ts";

export function create(): View {
  let root: HTMLElement | undefined;
  let context: ViewContext | undefined;
  return {
    mount(element, given) {
      root = element;
      context = given;
    },
    show(entry: QueueEntry) {
      if (root) root.textContent = `units: item ${entry.item} of ${context?.desk.source_name}`;
    },
    unmount() {
      root?.replaceChildren();
    },
  };
}
