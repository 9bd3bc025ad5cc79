// Training of a new reader: gold items with feedback, a progress curve, a threshold to pass.
import { useMemo } from "preact/hooks";
import uPlot from "uplot";
import type { Session } from "../core/session.ts";
import { cssColour } from "../theme.ts";
import { useJson } from "../ui/fetch.ts";
import { axes, Plot } from "../ui/plot.tsx";

export interface TrainingAnswer {
  threshold: number;
  passed: boolean;
  sentence: string;
  n: number;
  looks: Array<{ n: number; recent: { estimate: number }; low: number; passed: boolean }>;
  confused: Array<{ right: string; given: string; n: number }>;
  feedback: Array<{ desk: string; item: number; sentence: string; correct: boolean }>;
}

export function Training({ session, task }: { session: Session; task: string }) {
  const [answer, again] = useJson<TrainingAnswer>(session, "readers/training", { task });
  const inTraining = session.training.value === task;
  const start = () => void session.guard(async () => {
    const { asked } = await session.api.post<{ asked: number }>("readers/gold/ask", { task, reader: session.reader.value, n: 60 });
    session.training.value = task;
    session.announce(`${asked} items to train on: decide, then read what is right.`);
    await session.restart();
    location.hash = "#/review";
  });
  const data = useMemo<uPlot.AlignedData>(() => {
    const looks = answer?.looks ?? [];
    return [looks.map((look) => look.n), looks.map((look) => look.recent.estimate), looks.map((look) => look.low), looks.map(() => answer?.threshold ?? null)];
  }, [answer]);
  const options = useMemo(() => () => curve(), []);
  if (!answer) return null;
  return (
    <section class="card">
      <h2>Your training</h2>
      <p>{answer.passed ? <b>{answer.sentence}</b> : answer.sentence}</p>
      {answer.looks.length > 1 && <Plot options={options} data={data} label={`Progress: ${answer.sentence}`} />}
      {answer.looks.length > 1 && <p class="muted">Right of the latest answers; below it what is sure, and dashed what is needed.</p>}
      {answer.confused.slice(0, 4).map((one) => <p key={one.right + one.given} class="muted">{one.n} times {one.given} where it is {one.right}</p>)}
      <div class="row">
        <button onClick={start}>{answer.n ? "Go on training" : "Start training"}</button>
        {inTraining && <button onClick={() => { session.training.value = null; }}>End training</button>}
        <button class="quiet" onClick={again}>Refresh</button>
      </div>
    </section>
  );
}

function curve(): Omit<uPlot.Options, "width" | "height"> {
  return {
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: false }, y: { range: [0, 1] } },
    axes: axes("gold items", "right"),
    series: [
      {},
      { stroke: cssColour("--series-1"), width: 2, points: { show: true } },
      { stroke: cssColour("--series-1"), width: 1, dash: [2, 3] },
      { stroke: cssColour("--series-2"), width: 1.5, dash: [6, 5] },
    ],
  };
}
