// A page's own data: fetched when the page opens and on demand.
import { useCallback, useEffect, useState } from "preact/hooks";
import type { Session } from "../core/session.ts";
import type { Query } from "../view.ts";

/** `again` fetches anew; what failed stands in the session's failure line. */
export function useJson<T>(session: Session, path: string, query?: Query): [T | null, () => void] {
  const [answer, setAnswer] = useState<T | null>(null);
  const key = JSON.stringify(query ?? {});
  const again = useCallback(() => {
    void session.guard(async () => setAnswer(await session.api.json<T>(path, JSON.parse(key) as Query)));
  }, [session, path, key]);
  useEffect(again, [again]);
  return [answer, again];
}

export function when(time_s: number): string {
  return new Date(time_s * 1000).toLocaleString(undefined, { dateStyle: "short", timeStyle: "medium" });
}
