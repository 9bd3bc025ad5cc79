import type { Session } from "../core/session.ts";

export function Overview({ session }: { session: Session }) {
  return <p class="empty">{session.project.value?.name}</p>;
}
