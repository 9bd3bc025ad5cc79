// One view per label kind, each in a chunk of its own. A view's module exports `create(): View`.
import type { View } from "../view.ts";

type ViewModule = { create(): View };

const VIEWS: Record<string, () => Promise<ViewModule>> = {
  units: () => import("./units/index.ts"),
  spans: () => import("./spans/index.ts"),
  classes: () => import("./classes/index.tsx"),
  celltypes: () => import("./celltypes/index.ts"),
  points: () => import("./points/index.ts"),
  regions: () => import("./regions/index.ts"),
  links: () => import("./plain/links.tsx"),
  masks: () => import("./plain/masks.tsx"),
};

export async function loadView(name: string): Promise<View> {
  const load = VIEWS[name];
  if (!load) throw new Error(`Expected a view of ${Object.keys(VIEWS).join(", ")}; got ${name}.`);
  return (await load()).create();
}

/** Fetches a view's code ahead of its first use; what fails is told when it is used. */
export function warmView(name: string): void {
  void VIEWS[name]?.().catch(() => undefined);
}
