// The share of wrong labels that is allowed among those accepted without a look.
import type { Session } from "../core/session.ts";

/** Names the budget of a task, in percent; an audit sample is drawn for it. */
export async function nameBudget(session: Session, task: string, percent: number): Promise<void> {
  await session.api.post("trust/budget", { task, budget: percent / 100, reader: session.reader.value });
  await session.restart();
  session.announce(`At most ${percent} % of the ${task} accepted without a look may be wrong.`);
}
