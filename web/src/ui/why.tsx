// Why: what speaks for and against the proposal, in the reader's own terms, and the nearest examples.
import { useEffect, useState } from "preact/hooks";
import type { Session } from "../core/session.ts";
import { showWhy } from "./open.ts";

interface Attribution {
  feature?: string;
  name?: string;
  sentence?: string;
  value?: number | null;
  unit?: string;
  contribution?: number;
}

interface Example {
  item: number;
  desk?: string;
  label?: string;
  distance?: number;
}

interface WhyAnswer {
  sentence?: string;
  attributions?: Attribution[];
  accepted?: Example[];
  rejected?: Example[];
  findings?: Array<string | { message?: string; sentence?: string; title?: string }>;
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
      {answer === null ? <p class="muted">…</p> : typeof answer === "string" ? <p>{answer}</p> : <Answer answer={answer} desk={desk ?? ""} />}
    </aside>
  );
}

function Answer({ answer, desk }: { answer: WhyAnswer; desk: string }) {
  const attributions = answer.attributions ?? [];
  const most = Math.max(1e-9, ...attributions.map((one) => Math.abs(one.contribution ?? 0)));
  return (
    <>
      {answer.sentence && <p>{answer.sentence}</p>}
      {attributions.length > 0 && (
        <ul class="attributions">
          {attributions.map((one, index) => (
            <li key={index}>
              <meter min={0} max={1} value={Math.abs(one.contribution ?? 0) / most} class={(one.contribution ?? 0) < 0 ? "against" : "for"} />
              <span>{one.sentence ?? `${one.feature ?? one.name}: ${one.value ?? "missing"} ${one.unit ?? ""}`} {(one.contribution ?? 0) < 0 ? "(against)" : "(for)"}</span>
            </li>
          ))}
        </ul>
      )}
      {(answer.findings ?? []).map((finding, index) => (
        <p key={index} class="finding">{typeof finding === "string" ? finding : finding.sentence ?? finding.message ?? finding.title}</p>
      ))}
      <Examples title="Nearest accepted" examples={answer.accepted} desk={desk} />
      <Examples title="Nearest rejected" examples={answer.rejected} desk={desk} />
    </>
  );
}

function Examples({ title, examples = [], desk }: { title: string; examples?: Example[] | undefined; desk: string }) {
  if (!examples.length) return null;
  return (
    <>
      <h3>{title}</h3>
      <ul class="chips">
        {examples.map((one, index) => (
          <li key={index}><a href={`#/desk/${one.desk ?? desk}/item/${one.item}`}>{one.item}{one.label ? ` ${one.label}` : ""}{one.distance !== undefined ? ` · ${one.distance.toFixed(2)}` : ""}</a></li>
        ))}
      </ul>
    </>
  );
}
