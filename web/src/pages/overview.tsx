// Overview: sessions and their progress, confidence, calibration, readers at work, models.
import { useMemo } from "preact/hooks";
import uPlot from "uplot";
import type { Session } from "../core/session.ts";
import { cssColour } from "../theme.ts";
import { percent } from "../ui/dialogs.tsx";
import type { AdviceAnswer } from "../ui/advice.ts";
import { adviceText } from "../ui/advice.ts";
import { nameBudget } from "../ui/budget.ts";
import { useJson, when } from "../ui/fetch.ts";
import { axes, Plot } from "../ui/plot.tsx";
import { Doubts } from "./doubts.tsx";
import { Models } from "./models.tsx";
import type { Reliability } from "./reliability.tsx";
import { ReliabilityPlot } from "./reliability.tsx";

interface SessionRow {
  desk: string;
  source: string;
  subject: string;
  task: string;
  author: string;
  n_items: number;
  n_decided: number;
  readers: Record<string, number>;
}

interface Confidences {
  task: string;
  edges: number[];
  decided: number[];
  open: number[];
  n_without: number;
}

interface Calibration {
  task: string;
  n: number;
  n_correct: number;
  mean_confidence: number;
  accuracy: { estimate: number; low: number; high: number };
  reliability?: Reliability | null;
}

interface Left {
  estimate: number | null;
  upper: number;
  n: number;
  sentence: string;
  on: boolean;
  reason: string;
  needed: number;
  budget: number;
}

interface Coverage {
  task: string;
  budget: number;
  threshold: number | null;
  n_open: number;
  n_accepted: number;
}

interface ReaderWork {
  reader: string;
  n_decisions: number;
  n_undone: number;
  median_s: number | null;
  minutes: number;
  last_s: number;
  days: Record<string, number>;
}

interface Answer {
  sessions: SessionRow[];
  confidences: Confidences[];
  calibration: Calibration[];
  residual: Record<string, Left | null>;
  coverage: Record<string, Coverage>;
  readers: ReaderWork[];
}

const TASKS_THAT_LEARN: Record<string, string> = { spikes: "curation" };

export function Overview({ session }: { session: Session }) {
  const [answer, again] = useJson<Answer>(session, "overview");
  if (!answer) return <p class="empty muted">Reading the project …</p>;
  const tasks = [...new Set(answer.sessions.flatMap((row) => TASKS_THAT_LEARN[row.task] ?? []))];
  return (
    <div class="page">
      <div class="row"><h1>{session.project.value?.name}</h1><button onClick={again}>Refresh</button></div>
      <div class="cards">
        <Sessions rows={answer.sessions} />
        {answer.confidences.map((one) => (
          <Trust
            key={one.task} session={session} given={one} left={answer.residual[one.task] ?? null}
            coverage={answer.coverage[one.task]} changed={again}
            calibration={answer.calibration.find((each) => each.task === one.task)}
          />
        ))}
        <Readers rows={answer.readers} />
        {tasks.map((task) => <Doubts key={task} session={session} task={task} />)}
        {tasks.map((task) => <Models key={task} session={session} task={task} />)}
      </div>
    </div>
  );
}

function Sessions({ rows }: { rows: SessionRow[] }) {
  const total = rows.reduce((sum, row) => sum + row.n_items, 0);
  const done = rows.reduce((sum, row) => sum + row.n_decided, 0);
  return (
    <section class="card full">
      <h2>Sessions</h2>
      <p class="muted">{rows.length} label sets, {done} of {total} items decided.</p>
      <table>
        <thead><tr><th>Source</th><th>Subject</th><th>Task</th><th>Proposed by</th><th>Decided</th><th class="num">Items</th><th>Readers</th></tr></thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.desk}>
              <td><a href={`#/desk/${row.desk}`}>{row.source}</a></td>
              <td>{row.subject}</td>
              <td>{row.task}</td>
              <td>{row.author}</td>
              <td><progress max={Math.max(1, row.n_items)} value={row.n_decided} aria-label={`${row.n_decided} of ${row.n_items}`} /> <span class="num">{row.n_decided}</span></td>
              <td class="num">{row.n_items}</td>
              <td>{Object.entries(row.readers).map(([name, n]) => `${name} ${n}`).join(", ")}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

interface TrustFacts {
  session: Session;
  given: Confidences;
  left: Left | null;
  coverage: Coverage | undefined;
  calibration: Calibration | undefined;
  changed: () => void;
}

function Trust({ session, given, left, coverage, calibration, changed }: TrustFacts) {
  const [answer] = useJson<AdviceAnswer>(session, "advice", { task: given.task });
  return (
    <section class="card">
      <h2>{given.task}: what may be trusted</h2>
      {left
        ? <>
            <p><b>Automatic acceptance is {left.on ? "on" : "off"}</b> at a budget of {percent(left.budget)}. {left.reason.replace(/^Automatic acceptance is off[.:]? */, "")}</p>
            <p>{left.sentence}</p>
            {left.needed > 0 && <p class="muted">{left.needed} more audit items, all of them right, would switch it on.</p>}
          </>
        : <p class="muted">No audit sample is reserved: nothing is accepted without a person, and no residual error is stated.</p>}
      {coverage && <Budget session={session} given={coverage} changed={changed} />}
      {calibration && <p>On {calibration.n} audited items the method said {percent(calibration.mean_confidence)} and was right in {percent(calibration.accuracy.estimate)} ({percent(calibration.accuracy.low)} to {percent(calibration.accuracy.high)}).</p>}
      {calibration?.reliability && <ReliabilityPlot given={calibration.reliability} label={`Reliability of ${given.task}`} />}
      {answer?.advice && <p class="advice"><b>Stop now?</b> {adviceText(answer.advice)}</p>}
      <Histogram given={given} />
    </section>
  );
}

/** Names the error budget; what it buys is told below. */
function Budget({ session, given, changed }: { session: Session; given: Coverage; changed: () => void }) {
  const set = (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const typed = new FormData(form).get("budget");
    form.querySelector("input")!.blur(); // the keys are the page's again
    void session.guard(async () => {
      await nameBudget(session, given.task, Number(typed));
      changed();
    });
  };
  return (
    <>
      <form class="row" onSubmit={set}>
        <label>Allow <input name="budget" type="number" min="0.1" max="50" step="0.1" defaultValue={`${100 * given.budget}`} /> % wrong</label>
        <button>Set</button>
      </form>
      <p class="muted">
        {given.threshold === null || given.n_accepted === 0
          ? "At this budget no label would be accepted without a look."
          : `From confidence ${given.threshold.toFixed(2)} on, ${given.n_accepted} of ${given.n_open} open labels would be accepted without a look, once the audit sample is passed.`}
      </p>
    </>
  );
}

function Histogram({ given }: { given: Confidences }) {
  const data = useMemo<uPlot.AlignedData>(() => [
    given.edges.slice(0, -1).map((edge, i) => (edge + given.edges[i + 1]!) / 2),
    given.decided.map((n, i) => n + given.open[i]!),
    given.decided,
  ], [given]);
  const options = useMemo(() => () => histogramOptions(), []);
  const n = given.decided.reduce((a, b) => a + b, 0) + given.open.reduce((a, b) => a + b, 0);
  return (
    <>
      {n > 0
        ? <><Plot options={options} data={data} label={`Histogram of the confidence of ${n} items`} />
            <p class="muted"><i class="dot all" /> all <i class="dot done" /> decided{given.n_without > 0 && ` · ${given.n_without} items without a confidence`}</p></>
        : <p class="muted">The method says no confidence for any of {given.n_without} items.</p>}
    </>
  );
}

function histogramOptions(): Omit<uPlot.Options, "width" | "height"> {
  const bars = uPlot.paths.bars!({ size: [0.9] });
  const points = { show: false };
  return {
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: false, range: [0, 1] }, y: { range: (_self, _low, high) => [0, Math.max(1, high)] } },
    axes: axes("confidence", "items"),
    series: [
      {},
      { paths: bars, points, fill: cssColour("--line"), stroke: cssColour("--strong") },
      { paths: bars, points, fill: cssColour("--series-1"), stroke: cssColour("--series-1") },
    ],
  };
}

function Readers({ rows }: { rows: ReaderWork[] }) {
  return (
    <section class="card">
      <div class="row"><h2>Readers at work</h2><a href="#/readers">agreement and training</a></div>
      {rows.length === 0 ? <p class="muted">Nobody has decided anything yet.</p> : (
        <table>
          <thead><tr><th>Reader</th><th class="num">Decisions</th><th class="num">Undone</th><th class="num">Usual time</th><th class="num">Minutes</th><th>Last</th></tr></thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.reader}>
                <td>{row.reader}</td><td class="num">{row.n_decisions}</td><td class="num">{row.n_undone}</td>
                <td class="num">{row.median_s === null ? "–" : `${row.median_s.toFixed(1)} s`}</td>
                <td class="num">{row.minutes.toFixed(1)}</td><td>{when(row.last_s)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
