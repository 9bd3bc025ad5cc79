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

interface Relative {
  name: string;
  label: string;
  evidence: string;
  distance: number;
}

interface WhyAnswer {
  proposed: string;
  confidence: number;
  reasons: Reason[];
  accepted: Example[];
  rejected: Example[];
  library: Relative[];
  findings: Array<{ sentence: string }>;
}

export function Why({ session }: { session: Session }) {
  const entry = session.queue.current.value;
  const [answer, setAnswer] = useState<WhyAnswer | string | null>(null);
  const desk = entry?.desk;
  const item = entry?.item;
  const state = desk && item !== undefined ? session.itemsOf(desk).get(item)?.state : undefined;
  if (desk) void session.itemsOf(desk).version.value;
  const hidden = (session.settings.value.blind || entry?.blind === true) && state === "untouched";
  useEffect(() => {
    if (!desk || item === undefined || hidden) return;
    const control = new AbortController();
    setAnswer(null);
    session.api.json<WhyAnswer>(`desks/${desk}/items/${item}/why`, {}, control.signal).then(setAnswer, (error: Error) => {
      if (error.name !== "AbortError") setAnswer(error.message);
    });
    return () => control.abort();
  }, [session, desk, item, hidden]);
  return (
    <aside class="why" aria-label="Why">
      <header><h2>Why</h2><button class="quiet" onClick={() => { showWhy.value = false; }} aria-label="Close">✕</button></header>
      {hidden ? <p class="muted">Hidden until you have decided.</p> : answer === null ? <p class="muted">…</p> : typeof answer === "string" ? <p>{answer}</p> : <Answer answer={answer} session={session} />}
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
      {answer.library.length > 0 && <h3>Most alike in the library</h3>}
      <ul class="chips">
        {answer.library.map((one) => <li key={one.name}>{one.name}: {one.label}{one.evidence && ` by ${one.evidence}`} · {one.distance.toFixed(2)}</li>)}
      </ul>
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
