// Doubts about a task's decisions: labels that look wrong, and clusters that fit no class.
import { useState } from "preact/hooks";
import { itemAddress } from "../core/router.ts";
import type { Session } from "../core/session.ts";
import { percent } from "../ui/dialogs.tsx";

interface Place {
  desk: string;
  item: number;
}

interface Suspect extends Place {
  source: string;
  given: string;
  suggested: string;
  probability: number;
}

interface NewClass {
  items: Place[];
  exemplars: Place[];
  animals: string[];
  offered: boolean;
  reason: string;
}

interface Answer {
  suspects: Suspect[];
  refused: { error: string } | null;
  classes: NewClass[];
}

const SHOWN = 10;

/** Computed on demand only: models are fitted for it. */
export function Doubts({ session, task }: { session: Session; task: string }) {
  const [answer, setAnswer] = useState<Answer | null>(null);
  const [busy, setBusy] = useState(false);
  const look = () => {
    setBusy(true);
    void session.guard(async () => setAnswer(await session.api.json<Answer>("doubts", { task }))).finally(() => setBusy(false));
  };
  return (
    <>
      <section class="card">
        <div class="row">
          <h2>{task}: labels that look wrong</h2>
          <button disabled={busy} onClick={look}>{busy ? "Looking …" : "Look for them"}</button>
        </div>
        {answer ? <Suspects session={session} task={task} answer={answer} /> : <p class="muted">Models that have not seen an animal judge what was decided about it. It takes seconds.</p>}
      </section>
      <section class="card">
        <div class="row">
          <h2>{task}: possible new classes</h2>
          <button disabled={busy} onClick={look}>{busy ? "Looking …" : "Look for them"}</button>
        </div>
        {answer ? <Clusters classes={answer.classes} /> : <p class="muted">Items outside what the model has seen, where they form a group of their own.</p>}
      </section>
    </>
  );
}

function Suspects({ session, task, answer }: { session: Session; task: string; answer: Answer }) {
  const found = answer.suspects;
  if (answer.refused) return <p>{answer.refused.error}</p>;
  if (found.length === 0) return <p>No decision looks wrong.</p>;
  const ask = () => void session.guard(async () => {
    const { asked } = await session.api.post<{ asked: number }>("doubts/ask", { task, reader: session.reader.value });
    session.announce(asked ? `${asked} items are asked again.` : "All of them are asked already.");
  });
  return (
    <>
      <div class="row"><p><b>{found.length}</b> {found.length === 1 ? "decision looks" : "decisions look"} wrong.</p><button onClick={ask}>Ask again</button></div>
      <table>
        <thead><tr><th>Item</th><th>Source</th><th>Decided</th><th>Rather</th><th class="num">Wrong with</th></tr></thead>
        <tbody>
          {found.slice(0, SHOWN).map((one) => (
            <tr key={`${one.desk} ${one.item}`}>
              <td><a href={itemAddress(one.desk, one.item)}>{one.item}</a></td>
              <td>{one.source}</td><td>{one.given}</td><td>{one.suggested}</td>
              <td class="num">{percent(one.probability)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {found.length > SHOWN && <p class="muted">The {SHOWN} most doubtful of {found.length}.</p>}
    </>
  );
}

function Clusters({ classes }: { classes: NewClass[] }) {
  if (classes.length === 0) return <p>No group of items looks like a class of its own.</p>;
  return (
    <ul>
      {classes.map((one, index) => (
        <li key={index}>
          <b>{one.offered ? "May be a class" : "Not offered"}</b>: {one.reason}.{" "}
          Look at {one.exemplars.map((each) => <><a href={itemAddress(each.desk, each.item)}>{each.item}</a> </>)}
        </li>
      ))}
    </ul>
  );
}
