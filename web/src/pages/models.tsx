// Models of a task: which is in use, their cards, learning from the decisions, going back.
import { useEffect, useState } from "preact/hooks";
import type { Session } from "../core/session.ts";
import { useJson, when } from "../ui/fetch.ts";

interface Model {
  digest: string;
  name: string;
  version: string;
  made_s: number | null;
  in_use: boolean;
  page: string;
}

interface Answer {
  models: Model[];
}

interface Run {
  run: string;
  state: "running" | "finished" | "failed";
  stage?: string;
  /** Part of the stage that is done, 0 to 1. */
  done?: number | null;
  error?: { expected?: string; got?: string; remedy?: string };
}

const POLL_MS = 1000;

export function Models({ session, task }: { session: Session; task: string }) {
  const [answer, again] = useJson<Answer>(session, "models", { task });
  const [run, setRun] = useState<Run | null>(null);
  const [open, setOpen] = useState<string | null>(null);
  const busy = run !== null && run.state === "running";
  useEffect(() => {
    if (!run || !busy) return;
    const timer = setTimeout(() => void session.guard(async () => {
      const now = await session.api.json<Run>(`learn/${run.run}`);
      setRun(now);
      if (now.state === "finished") again();
    }), POLL_MS);
    return () => clearTimeout(timer);
  }, [run, busy, again, session]);
  const learn = () => void session.guard(async () => {
    const started = await session.api.post<{ run: string }>("learn", { task, reader: session.reader.value });
    setRun({ run: started.run, state: "running" });
  });
  const use = (digest: string) => void session.guard(async () => {
    const used = await session.api.post<{ carried: number; questions: string[] }>("models/use", { task, digest, reader: session.reader.value });
    session.announce(`In use. ${used.carried} decisions carried over${used.questions.length ? `, ${used.questions.length} came up as questions` : ""}.`);
    await session.reloadProject();
    again();
  });
  if (!answer) return null;
  return (
    <section class="card full">
      <div class="row">
        <h2>{task}: models</h2>
        <button class="primary" disabled={busy} onClick={learn}>{busy ? "Learning …" : "Learn from the decisions"}</button>
        {busy && <span class="muted">{run.stage} {typeof run.done === "number" && <progress value={run.done} max={1} />}</span>}
        {run?.state === "failed" && <span role="alert">Expected {run.error?.expected}; got {run.error?.got}. {run.error?.remedy}</span>}
      </div>
      <p class="muted">A new model is never put into use by itself; going back to an earlier one keeps all decisions.</p>
      <table>
        <thead><tr><th>Model</th><th>Made</th><th /><th /></tr></thead>
        <tbody>
          {answer.models.map((model) => (
            <tr key={model.digest}>
              <td>{model.name} {model.version} {model.digest ? <code>{model.digest.slice(0, 10)}</code> : <span class="muted">as shipped</span>}</td>
              <td>{model.made_s ? when(model.made_s) : ""}</td>
              <td>{model.in_use ? <b>in use</b> : <button onClick={() => use(model.digest)}>Use this one</button>}</td>
              <td><button class="quiet" aria-expanded={open === model.digest} onClick={() => setOpen(open === model.digest ? null : model.digest)}>card</button></td>
            </tr>
          ))}
        </tbody>
      </table>
      {open !== null && <pre class="cardtext" tabIndex={0}>{answer.models.find((model) => model.digest === open)?.page}</pre>}
    </section>
  );
}
