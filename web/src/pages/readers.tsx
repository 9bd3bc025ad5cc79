// Readers: agreement, each one's errors, adjudication, double reading, gold items, training.
import { useState } from "preact/hooks";
import type { Session } from "../core/session.ts";
import { percent } from "../ui/dialogs.tsx";
import { useJson, when } from "../ui/fetch.ts";
import { Training } from "./training.tsx";

interface Interval {
  estimate: number | null;
  low: number | null;
  high: number | null;
  n: number;
}

interface Disagreement {
  desk: string;
  item: number;
  said: Record<string, string | null>;
  doubt: number;
}

interface Drift {
  reader: string;
  p: number;
  change_s: number | null;
  before: Interval;
  after: Interval;
}

interface Answer {
  classes: string[];
  readers: string[];
  n_gold: number;
  agreement: { readers: string[]; n_items: number; kappa_of: string; percent: Interval; kappa: Interval; alpha: Interval; pairs: Array<{ readers: string[]; kappa: Interval }> } | null;
  errors: { readers: string[]; classes: string[]; accuracy: number[]; confusion: number[][][]; identified: boolean[] } | null;
  disagreements: Disagreement[];
  bias: { shown: Interval; hidden: Interval; difference: Interval; p: number } | null;
  drift: Drift[];
  extents: Array<{ desk: string; readers: string[]; f1: Interval }>;
}

export function Readers({ session }: { session: Session }) {
  const tasks = [...new Set(session.project.value?.desks.map((desk) => desk.task))];
  const [task, setTask] = useState(session.desk.value?.task ?? tasks[0] ?? "");
  const [answer, again] = useJson<Answer>(session, "readers", { task });
  if (!tasks.length) return <p class="empty">Nothing to review yet.</p>;
  return (
    <div class="page">
      <div class="row">
        <h1>Readers</h1>
        <select aria-label="Task" value={task} onChange={(event) => setTask(event.currentTarget.value)}>
          {tasks.map((one) => <option key={one} value={one}>{one}</option>)}
        </select>
        <button onClick={again}>Refresh</button>
      </div>
      {!answer ? <p class="muted">Reading the answers …</p> : (
        <div class="cards">
          <AgreementCard answer={answer} />
          <Confusion answer={answer} />
          <Assigning session={session} task={task} answer={answer} again={again} />
          <Training key={task} session={session} task={task} />
          <Bias answer={answer} />
          <Adjudication session={session} answer={answer} />
        </div>
      )}
    </div>
  );
}

function AgreementCard({ answer }: { answer: Answer }) {
  const found = answer.agreement;
  return (
    <section class="card">
      <h2>Agreement</h2>
      {!found ? <p class="muted">No item was read by two readers. Deal some out for double reading below.</p> : (
        <table>
          <thead><tr><th>On the class of {found.n_items} items</th><th class="num">Estimate</th><th class="num">95 %</th></tr></thead>
          <tbody>
            <Row name="Same answer" given={found.percent} />
            <Row name={found.kappa_of === "cohen" ? "Cohen's kappa" : "Fleiss' kappa"} given={found.kappa} />
            <Row name="Krippendorff's alpha" given={found.alpha} />
            {found.pairs.length > 1 && found.pairs.map((pair) => <Row key={pair.readers.join()} name={`kappa of ${pair.readers.join(" and ")}`} given={pair.kappa} />)}
          </tbody>
        </table>
      )}
      {answer.extents.length > 0 && (
        <table>
          <thead><tr><th>On what is where</th><th class="num">F1</th><th class="num">95 %</th></tr></thead>
          <tbody>{answer.extents.map((one) => <Row key={one.desk + one.readers.join()} name={one.readers.join(" and ")} given={one.f1} />)}</tbody>
        </table>
      )}
    </section>
  );
}

function Row({ name, given }: { name: string; given: Interval }) {
  return <tr><td>{name}</td><td class="num">{two(given.estimate)}</td><td class="num">{two(given.low)} to {two(given.high)}</td></tr>;
}

const two = (value: number | null): string => (value === null ? "–" : value.toFixed(2));

/** Items on which readers differ; the adjudicator's answer settles each. */
function Adjudication({ session, answer }: { session: Session; answer: Answer }) {
  const [settled, setSettled] = useState<Record<string, string>>({});
  const settle = (one: Disagreement, label: string) => void session.guard(async () => {
    const desk = session.deskInfo(one.desk);
    if (!desk) return;
    await session.desks.ensure(one.desk);
    const item = desk.classes === null ? one.item : session.itemsOf(one.desk).get(one.item)?.class_item;
    if (item === null || item === undefined) return session.announce("This unit has no class of its own yet.");
    session.decide(desk, [{
      kind: "adjudicate", base: desk.classes ?? desk.key, items: [item], payload: { label }, role: "adjudicator",
      optimistic: [[one.item, { state: "changed", label }]],
    }]);
    setSettled({ ...settled, [`${one.desk}:${one.item}`]: label });
  });
  return (
    <section class="card full">
      <h2>To settle</h2>
      {answer.disagreements.length === 0 ? <p class="muted">Readers contradict each other nowhere.</p> : (
        <table>
          <thead><tr><th>Item</th><th>They said</th><th>You settle it as</th></tr></thead>
          <tbody>
            {answer.disagreements.map((one) => {
              const done = settled[`${one.desk}:${one.item}`];
              return (
                <tr key={`${one.desk}:${one.item}`}>
                  <td><a href={`#/desk/${one.desk}/item/${one.item}`}>{session.deskInfo(one.desk)?.source_name} {one.item}</a></td>
                  <td>{Object.entries(one.said).map(([reader, label]) => `${reader}: ${label ?? "unsure"}`).join("; ")}</td>
                  <td>{done ? <b>{done}</b> : <span class="chips settle">{answer.classes.map((name) => <button key={name} onClick={() => settle(one, name)}>{name}</button>)}</span>}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      )}
    </section>
  );
}

/** Dawid and Skene's confusion: rows are the (unknown) truth, columns what the reader says. */
function Confusion({ answer }: { answer: Answer }) {
  const found = answer.errors;
  return (
    <section class="card">
      <h2>What each reader errs in</h2>
      {!found ? <p class="muted">Not enough answers yet.</p> : found.readers.map((reader, r) => (
        <div key={reader}>
          <h3>{reader}: right in {percent(found.accuracy[r]!)}{found.identified[r] ? "" : " (a guess: too few items in common with others or with gold)"}</h3>
          <table class="confusion">
            <thead><tr><th>is, says</th>{found.classes.map((name) => <th key={name} class="num">{name}</th>)}</tr></thead>
            <tbody>
              {found.classes.map((name, i) => (
                <tr key={name}><th>{name}</th>{found.classes.map((_, j) => <Cell key={j} share={found.confusion[r]![i]![j]!} />)}</tr>
              ))}
            </tbody>
          </table>
        </div>
      ))}
      <p class="muted">Estimated from the answers alone, after Dawid and Skene (1979).</p>
    </section>
  );
}

function Cell({ share }: { share: number }) {
  return <td class="num" ref={(element) => { if (element) element.style.setProperty("--share", `${Math.round(100 * share)}%`); }}>{(100 * share).toFixed(0)}</td>;
}

function Bias({ answer }: { answer: Answer }) {
  const { bias, drift } = answer;
  return (
    <section class="card">
      <h2>Led by the machine? Drifting?</h2>
      {!bias ? <p class="muted">To tell whether readers follow the machine, some items must be read blind and some not.</p> : (
        <p>Readers agree with the machine in {two(bias.shown.estimate)} where they see its answer and in {two(bias.hidden.estimate)} where they don't: a difference of {two(bias.difference.estimate)} ({two(bias.difference.low)} to {two(bias.difference.high)}, p = {bias.p.toFixed(3)}). Only where it was chance that hid the answer is this the effect of seeing it.</p>
      )}
      {drift.map((one) => (
        <p key={one.reader}><b>{one.reader}</b>: {one.change_s === null
          ? `no drift seen (p = ${one.p.toFixed(2)}).`
          : `agreement with gold and with the others went from ${two(one.before.estimate)} to ${two(one.after.estimate)} around ${when(one.change_s)} (p = ${one.p.toFixed(3)}).`}</p>
      ))}
    </section>
  );
}

function Assigning({ session, task, answer, again }: { session: Session; task: string; answer: Answer; again: () => void }) {
  const [names, setNames] = useState([...new Set([session.reader.value, ...answer.readers])].join(", "));
  const [share, setShare] = useState(10);
  const [by, setBy] = useState(answer.readers[0] ?? "");
  const [to, setTo] = useState("");
  const act = (path: string, body: Record<string, unknown>, said: (given: { asked?: number; n_gold?: number }) => string) => void session.guard(async () => {
    session.announce(said(await session.api.post(path, { task, ...body })));
    again();
    void session.fill();
  });
  return (
    <section class="card">
      <h2>Deal out</h2>
      <form class="row" onSubmit={(event) => { event.preventDefault(); act("readers/second", { readers: names.split(",").map((name) => name.trim()).filter(Boolean), fraction: share / 100 }, (given) => `${given.asked} blind readings asked.`); }}>
        <b>Double reading</b> of <input type="number" min={1} max={100} value={share} aria-label="Percent" onInput={(event) => setShare(Number(event.currentTarget.value))} /> % by
        <input value={names} size={24} aria-label="Readers, with commas" onInput={(event) => setNames(event.currentTarget.value)} />
        <button type="submit">Deal out</button>
      </form>
      <form class="row" onSubmit={(event) => { event.preventDefault(); act("readers/gold", { by }, (given) => `${given.n_gold} gold items.`); }}>
        <b>Gold</b>: take as known what
        <select value={by} aria-label="Expert" onChange={(event) => setBy(event.currentTarget.value)}>{answer.readers.map((name) => <option key={name} value={name}>{name}</option>)}</select>
        decided <button type="submit" disabled={!by}>Take</button> <span class="muted">{answer.n_gold} gold items were answered so far</span>
      </form>
      <form class="row" onSubmit={(event) => { event.preventDefault(); act("readers/gold/ask", { reader: to, n: 20 }, (given) => `${given.asked} gold items are hidden among the items of ${to}.`); }}>
        Hide 20 gold items among those of <input value={to} size={12} aria-label="Reader" onInput={(event) => setTo(event.currentTarget.value)} /> <button type="submit" disabled={!to.trim()}>Hide</button>
      </form>
    </section>
  );
}
