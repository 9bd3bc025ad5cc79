// Why: reasons in the reader's terms, labelled units that are most alike, and the unit's numbers.
import { shown } from "../units/dom.ts";
import type { Columns } from "../../view.ts";
import { isUnknown } from "./chances.tsx";
import { plainName } from "./names.ts";
import type { Example, WhyAnswer } from "./data.ts";

export interface ReasonsProps {
  answer: WhyAnswer | string | null;
  hidden: boolean;
  table: Columns | undefined;
  item: number;
  units: Record<string, string>;
  /** What is claimed of the unit; null where nothing is, or it is hidden. */
  proposed: string | null;
  /** Name of the desk's source: its items can be gone to. */
  source: string;
  goto: (item: number) => void;
}

const OWN = new Set(["item", "target", "state", "label", "proposed", "confidence", "class_item", "decided_by", "unlike"]);

export function Reasons(props: ReasonsProps) {
  const { answer, hidden, table, item } = props;
  const row = table ? Array.prototype.indexOf.call(table.numbers("item"), item) : -1;
  const unlike = !hidden && table?.has("unlike") && row >= 0 ? String(table.values("unlike")[row] ?? "") : "";
  return (
    <section class="ct-panel ct-why" aria-label="Why, and what is alike">
      <header><h3>Why, and what is alike</h3></header>
      <div class="ct-scroll">
        {unlike && <p class="finding">{sentence(unlike)}</p>}
        {hidden ? <p class="muted">Hidden until you have decided.</p>
          : answer === null ? <p class="muted">Asking the model …</p>
          : typeof answer === "string" ? <p class="muted">{answer}</p>
          : <Answer {...props} answer={answer} unlike={unlike} />}
        {table && row >= 0 && <Numbers table={table} row={row} units={props.units} />}
      </div>
    </section>
  );
}

function Answer({ answer, unlike, proposed, source, goto }: ReasonsProps & { answer: WhyAnswer; unlike: string }) {
  const most = Math.max(1e-9, ...answer.reasons.map((one) => Math.abs(one.weight)));
  const more = [...answer.findings.map((one) => one.sentence), answer.unlike].filter((text, k, all) => text && text !== unlike && all.indexOf(text) === k);
  return (
    <>
      {proposed && isUnknown(proposed) && <p>No class is claimed. The likeliest is <b>{answer.proposed}</b>:</p>}
      {proposed && !isUnknown(proposed) && proposed !== answer.proposed && answer.reasons.length > 0 && <p class="muted">The model in use finds <b>{answer.proposed}</b> likelier:</p>}
      {more.map((text) => <p key={text} class="finding">{sentence(text)}</p>)}
      {answer.reasons.length > 0
        ? <ul class="attributions" aria-label={`What speaks for ${answer.proposed}, and against it`}>
            {answer.reasons.map((one) => (
              <li key={one.sentence} title={`${one.weight.toFixed(2)} log odds`}>
                <span class={one.weight < 0 ? "ct-weight against" : "ct-weight for"} aria-hidden="true">
                  <i ref={(element) => { if (element) element.style.width = `${(50 * Math.abs(one.weight)) / most}%`; }} />
                </span>
                <span>{one.sentence}</span>
              </li>
            ))}
          </ul>
        : <p class="muted">Nothing of this unit speaks for one class more than for another.</p>}
      <Alike title={`Most alike among decided units: ${answer.proposed}`} examples={answer.accepted} source={source} goto={goto} />
      <Alike title="Most alike among decided units: other classes" examples={answer.rejected} source={source} goto={goto} />
      {(answer.library ?? []).length > 0 && (
        <>
          <h4>Most alike in the library</h4>
          <ul class="chips">
            {answer.library!.map((one) => (
              <li key={one.name} class="chip">{one.name}: <b>{one.label}</b>{one.evidence && ` by ${one.evidence}`} <span class="muted num">{one.distance.toFixed(2)}</span></li>
            ))}
          </ul>
        </>
      )}
    </>
  );
}

function Alike({ title, examples, source, goto }: { title: string; examples: Example[]; source: string; goto: (item: number) => void }) {
  if (!examples.length) return null;
  return (
    <>
      <h4>{title}</h4>
      <ul class="chips">
        {examples.map((one) => (
          <li key={`${one.source} ${one.item}`} class="chip">
            {one.source === source ? <button type="button" class="quiet" onClick={() => goto(one.item)}>unit {one.item}</button> : `${one.source}, unit ${one.item}`}
            {" "}<b>{one.label}</b> <span class="muted num" title="Distance">{one.distance.toFixed(2)}</span>
          </li>
        ))}
      </ul>
    </>
  );
}

function Numbers({ table, row, units }: { table: Columns; row: number; units: Record<string, string> }) {
  const names = table.names.filter((name) => !OWN.has(name));
  const told = names.map((name) => ({ name, value: table.values(name)[row] }))
    .filter(({ value }) => value !== null && value !== undefined && !Number.isNaN(value));
  return (
    <details>
      <summary>Numbers of this unit ({told.length} of {names.length} known)</summary>
      <table class="ct-numbers">
        <tbody>
          {told.map(({ name, value }) => (
            <tr key={name}><th>{plainName(name, units[name] ?? "")}</th><td class="num">{typeof value === "number" ? shown(value) : String(value)}</td><td class="muted">{(units[name] ?? "").replace(/^u(?=[A-Z]|m)/, "µ")}</td></tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}

function sentence(text: string): string {
  return text[0]!.toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}
