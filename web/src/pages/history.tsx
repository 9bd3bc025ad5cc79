// History: who changed what and when; the difference of two states; taking a range back.
import { useEffect, useState } from "preact/hooks";
import type { Session } from "../core/session.ts";
import type { EditJson } from "../core/wire.ts";
import { Modal } from "../ui/dialogs.tsx";
import { useJson, when } from "../ui/fetch.ts";

interface Line extends EditJson {
  position: number;
  stands: boolean;
  about: number[];
  desk: string;
}

interface Answer {
  position: number;
  readers: string[];
  edits: Line[];
}

type State = { state: string; label: string | null; n_rows: number } | null;

interface Change {
  item: number;
  before: State;
  after: State;
}

interface Shown {
  title: string;
  changes: Change[];
  confirm?: () => void;
}

export function History({ session }: { session: Session }) {
  const [desk, setDesk] = useState("");
  const [by, setBy] = useState("");
  const [before, setBefore] = useState<number | null>(null);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [last, setLast] = useState<number | null>(null);
  const [shown, setShown] = useState<Shown | null>(null);
  const [answer, again] = useJson<Answer>(session, "history", { desk: desk || null, by: by || null, before, limit: 200 });
  useEffect(() => setChosen(new Set()), [desk, by, before]);
  if (!answer) return <p class="empty muted">Reading the journal …</p>;
  const lines = answer.edits;
  const picked = lines.filter((line) => chosen.has(line.uuid));
  const desks = new Set(picked.map((line) => line.desk));
  const mine = picked.every((line) => line.reviewer === session.reader.value && line.stands && line.kind !== "undo");

  const toggle = (index: number, range: boolean) => {
    const next = new Set(chosen);
    const from = range && last !== null ? Math.min(last, index) : index;
    const to = range && last !== null ? Math.max(last, index) : index;
    const on = !next.has(lines[index]!.uuid);
    for (let i = from; i <= to; i++) {
      if (on) next.add(lines[i]!.uuid);
      else next.delete(lines[i]!.uuid);
    }
    setChosen(next);
    setLast(index);
  };
  const body = () => ({ desk: picked[0]!.desk, reader: session.reader.value, edits: picked.map((line) => line.uuid) });
  const revert = () => void session.guard(async () => {
    const { changes } = await session.api.post<{ changes: Change[] }>("history/revert", { ...body(), preview: true });
    setShown({ title: `Take back ${picked.length} decisions`, changes, confirm: () => void session.guard(async () => {
      await session.api.post("history/revert", { ...body(), preview: false });
      setShown(null);
      setChosen(new Set());
      session.announce(`${picked.length} decisions taken back in one step.`);
      await session.refreshAfter(picked[0]!.desk);
      again();
    }) });
  });
  const compare = () => void session.guard(async () => {
    const positions = picked.map((line) => line.position);
    const from = Math.min(...positions) - 1, to = Math.max(...positions);
    const { changes } = await session.api.post<{ changes: Change[] }>("history/diff", { desk: picked[0]!.desk, reader: picked[0]!.reviewer, from, to });
    setShown({ title: `What changed for ${picked[0]!.reviewer}, from before edit ${from + 1} to edit ${to}`, changes });
  });
  const sameReader = new Set(picked.map((line) => line.reviewer)).size === 1;
  return (
    <div class="page">
      <div class="row">
        <h1>History</h1>
        <select aria-label="Desk" value={desk} onChange={(event) => { setDesk(event.currentTarget.value); setBefore(null); }}>
          <option value="">all desks</option>
          {session.project.value?.desks.map((one) => <option key={one.key} value={one.key}>{one.source_name} · {one.task}</option>)}
        </select>
        <select aria-label="Reader" value={by} onChange={(event) => { setBy(event.currentTarget.value); setBefore(null); }}>
          <option value="">all readers</option>
          {answer.readers.map((name) => <option key={name} value={name}>{name}</option>)}
        </select>
        <button onClick={again}>Refresh</button>
        <button disabled={!picked.length || desks.size > 1 || !sameReader} onClick={compare} title="What the chosen range changed, of one reader at one desk">Difference</button>
        <button disabled={!picked.length || desks.size > 1 || !mine} onClick={revert} title="Only your own standing decisions at one desk; a preview comes first">Take back {picked.length || ""}…</button>
        <span class="muted">Shift+click or Shift+Space chooses a range.</span>
      </div>
      {lines.length === 0 && <p class="muted">Nothing has been decided yet.</p>}
      <table class="history">
        <thead><tr><th /><th class="num">#</th><th>When</th><th>Reader</th><th>What</th><th>Items</th><th>Desk</th><th>Took</th></tr></thead>
        <tbody>
          {lines.map((line, index) => (
            <tr key={line.uuid} class={line.stands || line.kind === "undo" ? "" : "undone"}>
              <td><input type="checkbox" checked={chosen.has(line.uuid)} aria-label={`Choose edit ${line.position}`}
                onClick={(event) => toggle(index, event.shiftKey)} /></td>
              <td class="num">{line.position}</td>
              <td>{when(line.when_s)}</td>
              <td>{line.reviewer}</td>
              <td>{what(line)}{line.stands || line.kind === "undo" ? "" : " (undone)"}</td>
              <td>{line.about.slice(0, 8).map((item) => <a key={item} href={`#/desk/${line.desk}/item/${item}`}>{item} </a>)}{line.about.length > 8 && `… ${line.about.length}`}</td>
              <td>{session.deskInfo(line.desk)?.source_name ?? line.desk.slice(0, 8)}</td>
              <td class="num">{line.took_s === null ? "" : `${line.took_s.toFixed(1)} s`}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <div class="row">
        {before !== null && <button onClick={() => setBefore(null)}>Newest</button>}
        {lines.length === 200 && <button onClick={() => setBefore(lines.at(-1)!.position)}>Older</button>}
      </div>
      {shown && <Changes shown={shown} onClose={() => setShown(null)} />}
    </div>
  );
}

function what(line: Line): string {
  const label = line.payload.label;
  const text = line.payload.text;
  return [line.kind, typeof label === "string" ? label : "", typeof text === "string" && text ? `“${text}”` : ""].filter(Boolean).join(" ");
}

function Changes({ shown, onClose }: { shown: Shown; onClose: () => void }) {
  return (
    <Modal title={shown.title} onClose={onClose} wide>
      {shown.changes.length === 0 ? <p>No item differs.</p> : (
        <table>
          <thead><tr><th>Item</th><th>Before</th><th>After</th></tr></thead>
          <tbody>{shown.changes.slice(0, 500).map((change) => (
            <tr key={change.item}><td>{change.item}</td><td>{told(change.before)}</td><td>{told(change.after)}</td></tr>
          ))}</tbody>
        </table>
      )}
      {shown.changes.length > 500 && <p class="muted">… and {shown.changes.length - 500} more items.</p>}
      <footer>
        <button onClick={onClose}>Close</button>
        {shown.confirm && <button class="primary" autoFocus onClick={shown.confirm}>Take back</button>}
      </footer>
    </Modal>
  );
}

function told(state: State): string {
  return state ? [state.label, state.state, state.n_rows > 1 ? `${state.n_rows} rows` : ""].filter(Boolean).join(", ") : "not there";
}
