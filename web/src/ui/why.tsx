// Why: what speaks for and against the proposal, in the reader's own terms, and the nearest examples.
import { useEffect, useState } from "preact/hooks";
import { itemAddress } from "../core/router.ts";
import type { Session } from "../core/session.ts";
import { percent } from "./dialogs.tsx";
import { showWhy } from "./open.ts";

interface Reason {
  sentence: string;
  /** Towards the proposed class where positive, natural log odds. */
  weight: number;
}

interface Example {
  source: string;
  item: number;
  label: string;
  distance: number;
}

interface WhyAnswer {
  proposed: string;
  confidence: number;
  reasons: Reason[];
  accepted: Example[];
  rejected: Example[];
  findings: Array<{ sentence: string }>;
}

export function Why({ session }: { session: Session }) {
  const entry = session.queue.current.value;
  const [answer, setAnswer] = useState<WhyAnswer | string | null>(null);
  const desk = entry?.desk;
  const item = entry?.item;
  const blind = session.settings.value.blind;
  useEffect(() => {
    if (!desk || item === undefined) return;
    const control = new AbortController();
    setAnswer(null);
    session.api.json<WhyAnswer>(`desks/${desk}/items/${item}/why`, {}, control.signal).then(setAnswer, (error: Error) => {
      if (error.name !== "AbortError") setAnswer(error.message);
    });
    return () => control.abort();
  }, [session, desk, item, blind]);
  return (
    <aside class="why" aria-label="Why">
      <header><h2>Why</h2><button class="quiet" onClick={() => { showWhy.value = false; }} aria-label="Close">✕</button></header>
      {answer === null ? <p class="muted">…</p> : typeof answer === "string" ? <p>{answer}</p> : <Answer answer={answer} session={session} />}
    </aside>
  );
}

function Answer({ answer, session }: { answer: WhyAnswer; session: Session }) {
  const most = Math.max(1e-9, ...answer.reasons.map((one) => Math.abs(one.weight)));
  return (
    <>
      <p>Proposed: <b>{answer.proposed}</b> ({percent(answer.confidence)})</p>
      {answer.reasons.length > 0 && (
        <ul class="attributions">
          {answer.reasons.map((one) => (
            <li key={one.sentence}>
              <meter min={0} max={1} value={Math.abs(one.weight) / most} class={one.weight < 0 ? "against" : "for"} title={`${one.weight.toFixed(2)} log odds`} />
              <span>{one.sentence}</span>
            </li>
          ))}
        </ul>
      )}
      {answer.findings.map((finding) => <p key={finding.sentence} class="finding">{finding.sentence}</p>)}
      <Examples title="Most alike of the same class" examples={answer.accepted} session={session} />
      <Examples title="Most alike of another class" examples={answer.rejected} session={session} />
    </>
  );
}

function Examples({ title, examples, session }: { title: string; examples: Example[]; session: Session }) {
  if (!examples.length) return null;
  const task = session.desk.value?.task;
  const desk = (name: string) => session.project.value?.desks.find((one) => one.source_name === name && one.task === task);
  return (
    <>
      <h3>{title}</h3>
      <ul class="chips">
        {examples.map((one) => (
          <li key={`${one.source} ${one.item}`}>
            <a href={desk(one.source) ? itemAddress(desk(one.source)!.key, one.item) : undefined}>{one.source} {one.item}</a> {one.label} · {one.distance.toFixed(2)}
          </li>
        ))}
      </ul>
    </>
  );
}
