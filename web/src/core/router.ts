// Addresses of everything: #/queue, #/desk/KEY, #/desk/KEY/item/ID, #/overview, #/history, #/readers, #/maps.
export type Route =
  | { page: "review"; desk?: string; item?: number }
  | { page: "overview" | "history" | "readers" | "maps" };

export function parseRoute(hash: string): Route {
  const parts = hash.replace(/^#?\/?/, "").split("/");
  if (parts[0] === "overview" || parts[0] === "history" || parts[0] === "readers" || parts[0] === "maps") return { page: parts[0] };
  const desk = /^[0-9a-f]{8,64}$/.test(parts[1] ?? "") && parts[0] === "desk" ? parts[1] : undefined;
  if (!desk) return { page: "review" };
  const item = parts[2] === "item" && /^-?\d+$/.test(parts[3] ?? "") ? Number(parts[3]) : undefined;
  return item === undefined ? { page: "review", desk } : { page: "review", desk, item };
}

export function itemAddress(desk: string, item: number): string {
  return `#/desk/${desk}/item/${item}`;
}
