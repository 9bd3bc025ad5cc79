// Under the bar: which item, what is proposed and why it is asked; the buttons of every decision.
import { useState } from "preact/hooks";
import type { Session } from "../core/session.ts";
import { percent } from "./dialogs.tsx";
import { itemAddress } from "../core/router.ts";

const STATES: Record<string, string> = {
  untouched: "not yet decided", accepted: "accepted", changed: "changed", added: "added", removed: "rejected", unsure: "unsure",
};

export function Verdict({ session }: { session: Session }) {
  const entry = session.queue.current.value;
  const desk = session.desk.value;
  const [copied, setCopied] = useState(false);
  if (!entry || !desk) return null;
  const items = session.itemsOf(desk.key);
  void items.version.value;
  const state = session.seenState(desk.key, entry.item);
  const now = state?.state ?? "untouched";
  const proposed = state?.proposed ? { label: state.proposed, confidence: state.confidence } : entry.proposed;
  const press = (name: string) => () => void session.guard(async () => session.keys.named(name)?.run(""));
  const keyed = (name: string) => session.keys.keyOf(name) ?? "";
  const copy = () => {
    const address = new URL(itemAddress(desk.key, entry.item), location.href).href;
    void navigator.clipboard?.writeText(address).then(() => { setCopied(true); setTimeout(() => setCopied(false), 1500); }, () => undefined);
    session.announce(`The address of this item is ${address}`);
  };
  void session.keys.version.value;
  void session.keys.mapping.value;
  void session.keys.ofTask.value;
  return (
    <section class="verdict" aria-label="Item">
      <div class="who">
        <h1>{itemWord(desk)} {entry.item}</h1>
        <span class="muted">{desk.source_name}{desk.subject && desk.subject !== "unknown" ? ` · ${desk.subject}` : ""} · {desk.task}</span>
        <button class="quiet" onClick={copy} title="Copy the address of this item">{copied ? "copied" : "link"}</button>
      </div>
      <div class="claim">
        {proposed
          ? <span class="chip" data-class={proposed.label}><i aria-hidden="true" class="dot" ref={paintDot(desk, proposed.label)} />proposed: <b>{proposed.label}</b>{proposed.confidence !== null && ` ${percent(proposed.confidence)}`}</span>
          : <span class="chip muted">{session.blind() ? "the model's answer is hidden" : "nothing proposed"}</span>}
        {now !== "untouched" && <span class="chip decided">{STATES[now] ?? now}{state?.label && now !== "removed" ? `: ${state.label}` : ""}{state?.decided_by ? ` · ${state.decided_by}` : ""}</span>}
        <span class="reason muted">{entry.reason}</span>
      </div>
      <div class="buttons" role="group" aria-label="Decide">
        <button onClick={press("accept")} disabled={!proposed && (desk.classes !== null || desk.kind === "classes")}>Accept<kbd>{keyed("accept")}</kbd></button>
        {desk.vocabulary.length > 1 && desk.vocabulary.map((one) => (
          <button key={one.name} onClick={press(`class-${one.name}`)} aria-pressed={state?.label === one.name && now !== "untouched"}>
            <i aria-hidden="true" class="dot" ref={paintDot(desk, one.name)} />{one.name}<kbd>{keyed(`class-${one.name}`)}</kbd>
          </button>
        ))}
        {["reject", "unsure", "note", "flag", "why", "back", "undo"].map((name) => (
          <button key={name} onClick={press(name)}>{name[0]!.toUpperCase() + name.slice(1)}<kbd>{keyed(name)}</kbd></button>
        ))}
      </div>
    </section>
  );
}

/** Sets the colour of a class without an inline style in HTML, which the content policy refuses. */
function paintDot(desk: { vocabulary: Array<{ name: string; colour: string }> }, name: string) {
  return (element: HTMLElement | null) => {
    const colour = desk.vocabulary.find((one) => one.name === name)?.colour;
    if (element && colour) element.style.background = colour;
  };
}

function itemWord({ view, task }: { view: string; task: string }): string {
  if (task === "sleep") return "Epoch";
  return ({ units: "Unit", spans: "Span", classes: "Item", celltypes: "Unit", points: "Track", regions: "Region", links: "Link" } as Record<string, string>)[view] ?? "Item";
}
