// Dialogs: keys, command line, note, reader, batch preview, refused decisions.
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { describe } from "../core/deciding.ts";
import { keyName } from "../core/keys.ts";
import type { Session } from "../core/session.ts";
import { noteItem } from "../decisions.ts";
import { remap } from "./commands.ts";
import { dialog, typed } from "./open.ts";

export function Dialogs({ session }: { session: Session }) {
  const open = dialog.value;
  const close = () => { dialog.value = null; typed.value = ""; };
  const needsReader = session.project.value !== null && !session.reader.value;
  return (
    <>
      {open === "help" && <Help session={session} onClose={close} />}
      {open === "command" && <CommandLine session={session} onClose={close} />}
      {open === "note" && <Note session={session} onClose={close} />}
      {(open === "reader" || needsReader) && <Reader session={session} onClose={close} />}
      {session.bulk.value && <BulkPreview session={session} />}
      {session.refusals.value.length > 0 && <Refusals session={session} />}
    </>
  );
}

/** A modal dialog: the browser keeps the focus inside, Escape closes it. */
export function Modal({ title, children, onClose, wide = false }: {
  title: string; children: ComponentChildren; onClose: () => void; wide?: boolean;
}) {
  const element = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const before = document.activeElement;
    element.current?.showModal();
    return () => { if (before instanceof HTMLElement && before.isConnected) before.focus(); };
  }, []);
  return (
    <dialog ref={element} class={wide ? "wide" : ""} aria-label={title}
      onCancel={(event) => { event.preventDefault(); onClose(); }}>
      <header><h2>{title}</h2><button class="quiet" onClick={onClose} aria-label="Close">✕</button></header>
      {children}
    </dialog>
  );
}

function Help({ session, onClose }: { session: Session; onClose: () => void }) {
  const [waiting, setWaiting] = useState<string | null>(null);
  void session.keys.version.value;
  const bound = session.keys.bound();
  const scopes = [...new Set(bound.map((one) => one.scope))];
  const press = (event: KeyboardEvent) => {
    if (waiting === null) return;
    event.preventDefault();
    event.stopPropagation();
    if (["Shift", "Control", "Alt", "Meta"].includes(event.key)) return;
    if (event.key !== "Escape") remap(session, waiting, keyName(event));
    setWaiting(null);
  };
  return (
    <Modal title="Keys and commands" onClose={onClose} wide>
      <p class="muted">Choose a key to change it. Every command also works by name: type / and the name.</p>
      <div class="keys" onKeyDownCapture={press}>
        {scopes.map((scope) => (
          <section key={scope}>
            <h3>{scope}</h3>
            {bound.filter((one) => one.scope === scope).map(({ command, key }) => (
              <div class="keyrow" key={command.name}>
                <button class="key" onClick={() => setWaiting(command.name)} aria-label={`Change the key of ${command.name}, now ${key ?? "none"}`}>
                  {waiting === command.name ? "press a key…" : key ?? "–"}
                </button>
                <code>/{command.name}</code>
                <span>{command.help}</span>
                {command.name in session.settings.value.keys && (
                  <button class="quiet" onClick={() => remap(session, command.name, undefined)}>reset</button>
                )}
              </div>
            ))}
          </section>
        ))}
      </div>
    </Modal>
  );
}

function CommandLine({ session, onClose }: { session: Session; onClose: () => void }) {
  const text = typed.value;
  const setText = (next: string) => { typed.value = next; };
  const [said, setSaid] = useState("");
  const commands = session.keys.bound().map((one) => one.command);
  const word = text.replace(/^\//, "").split(/\s/)[0] ?? "";
  const fitting = commands.filter((command) => command.name.startsWith(word)).slice(0, 8);
  const run = () => {
    const [name = "", ...rest] = text.replace(/^\//, "").trim().split(/\s+/);
    const command = session.keys.named(name);
    if (!command) return setSaid(`No command is called ${name || "so"}.`);
    onClose();
    void session.guard(async () => command.run(rest.join(" ")));
  };
  const key = (event: KeyboardEvent) => {
    if (event.key === "Enter") { event.preventDefault(); run(); }
    if (event.key === "Tab" && fitting[0] && !text.includes(" ")) { event.preventDefault(); setText(`${fitting[0].name} `); }
  };
  return (
    <Modal title="Command" onClose={onClose}>
      <input class="line" autoFocus value={text} aria-label="Command" aria-describedby="fitting" placeholder="accept confidence>0.95 label=good"
        onInput={(event) => { setText(event.currentTarget.value); setSaid(""); }} onKeyDown={key} />
      {said && <p role="alert">{said}</p>}
      <ul class="fitting" id="fitting">
        {fitting.map((command) => (
          <li key={command.name}><button class="quiet" onClick={() => setText(`${command.name} `)}><code>/{command.name}</code> {command.help}</button></li>
        ))}
      </ul>
    </Modal>
  );
}

function Note({ session, onClose }: { session: Session; onClose: () => void }) {
  const text = typed.value;
  const entry = session.queue.current.value;
  const desk = session.desk.value;
  const save = (event: Event) => {
    event.preventDefault();
    if (entry && desk && text.trim()) session.decide(desk, [noteItem(session.context(desk), entry.item, text.trim())]);
    onClose();
  };
  return (
    <Modal title={`Note on item ${entry?.item ?? ""}`} onClose={onClose}>
      <form onSubmit={save}>
        <textarea autoFocus rows={4} value={text} aria-label="Note" onInput={(event) => { typed.value = event.currentTarget.value; }}
          onKeyDown={(event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) save(event); }} />
        <footer><button type="submit" class="primary">Save note (Ctrl+Enter)</button></footer>
      </form>
    </Modal>
  );
}

function Reader({ session, onClose }: { session: Session; onClose: () => void }) {
  const [name, setName] = useState("");
  const known = session.project.value?.readers ?? [];
  const enter = (chosen: string) => {
    if (!chosen.trim()) return;
    onClose();
    void session.enter(chosen);
  };
  return (
    <Modal title="Who is reading?" onClose={() => { if (session.reader.value) onClose(); }}>
      <p class="muted">Decisions are recorded under this name. Nothing is sent anywhere else.</p>
      <form onSubmit={(event) => { event.preventDefault(); enter(name); }}>
        <input class="line" autoFocus maxLength={80} value={name} aria-label="Your name" placeholder="Your name" onInput={(event) => setName(event.currentTarget.value)} />
        <footer><button type="submit" class="primary">Start</button></footer>
      </form>
      {known.length > 0 && <div class="chips">{known.map((one) => <button key={one} onClick={() => enter(one)}>{one}</button>)}</div>}
    </Modal>
  );
}

const LISTED = 200;

function BulkPreview({ session }: { session: Session }) {
  const bulk = session.bulk.value!;
  const desk = session.desk.value;
  const items = desk ? session.itemsOf(desk.key) : undefined;
  const close = () => { session.bulk.value = null; };
  const confirm = () => {
    if (desk) session.decide(desk, bulk.drafts);
    const current = session.queue.current.value;
    close();
    if (current && bulk.items.includes(current.item)) session.next();
  };
  return (
    <Modal title={bulk.title} onClose={close}>
      <p><strong>{bulk.items.length}</strong> items, decided and undone in one step.
        {bulk.n_left_out > 0 && ` ${bulk.n_left_out} more fit, but nothing is proposed for them.`}</p>
      <p>{bulk.expected_error === null
        ? "No estimate of how many are wrong: nothing here carries a confidence."
        : `By the model's own confidence about ${percent(bulk.expected_error)} of them are wrong (${(bulk.expected_error * bulk.n_confidence).toFixed(1)} of ${bulk.n_confidence}). What the audit sample says stands in the bar.`}</p>
      <ul class="preview" tabIndex={0} aria-label="Items">
        {bulk.items.slice(0, LISTED).map((item) => {
          const state = items?.get(item);
          return <li key={item}><b>{item}</b> {state?.proposed ?? state?.label ?? ""} {state?.confidence?.toFixed(3) ?? ""}</li>;
        })}
      </ul>
      {bulk.items.length > LISTED && <p class="muted">… and {bulk.items.length - LISTED} more.</p>}
      <footer>
        <button onClick={close}>Cancel</button>
        <button class="primary" autoFocus disabled={!bulk.items.length} onClick={confirm}>Decide {bulk.items.length}</button>
      </footer>
    </Modal>
  );
}

function Refusals({ session }: { session: Session }) {
  const close = () => { session.refusals.value = []; };
  return (
    <Modal title="The server refused" onClose={close}>
      <p>These decisions are not in the journal; the screen shows what was there before.</p>
      <ul class="refusals">
        {session.refusals.value.map(({ edits, error }) => (
          <li key={edits[0]?.uuid}><b>{describe(edits)}</b><br />Expected {error.expected}; got {error.got}. {error.remedy}</li>
        ))}
      </ul>
      <footer><button class="primary" autoFocus onClick={close}>Understood</button></footer>
    </Modal>
  );
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
}
