// The bar: where one is, what is left, how sure the project is, and whether all is saved.
import type { Session } from "../core/session.ts";
import { percent } from "./dialogs.tsx";
import { dialog } from "./open.ts";

const PAGES = ["review", "overview", "history", "readers", "maps"] as const;

export function Bar({ session }: { session: Session }) {
  const page = session.route.value.page;
  return (
    <header class="bar">
      <a class="brand" href="#/review" title={session.project.value?.version ?? ""}>{session.project.value?.name ?? "nissl"}</a>
      <nav aria-label="Pages">
        {PAGES.map((name) => (
          <a key={name} href={`#/${name}`} aria-current={page === name ? "page" : undefined}>{name[0]!.toUpperCase() + name.slice(1)}</a>
        ))}
      </nav>
      <Progress session={session} />
      <Light session={session} />
      <button class="quiet" onClick={() => { dialog.value = "reader"; }} title="Go on as another reader">{session.reader.value || "Who?"}</button>
      <button class="quiet" aria-pressed={session.settings.value.blind} onClick={() => void session.keys.named("blind")?.run("")}
        title="Hide the model's answer until you have decided">{session.settings.value.blind ? "Blind" : "Open"}</button>
      <button class="quiet" onClick={() => void session.keys.named("theme")?.run("")} aria-label="Light or dark">◐</button>
      <button class="quiet" onClick={() => { dialog.value = "help"; }} aria-label="Keys and commands">?</button>
    </header>
  );
}

function Progress({ session }: { session: Session }) {
  const summary = session.queue.summary.value;
  if (!summary) return <div class="progress muted">…</div>;
  const fresh = Math.min(session.queue.fresh.value, summary.left);
  const done = summary.done + fresh;
  const left = summary.left - fresh;
  const minutes = summary.minutes_left;
  const share = summary.left + fresh > 0 && summary.left > 0 ? left / summary.left : 1;
  const residual = summary.residual;
  return (
    <div class="progress" role="group" aria-label="Progress">
      <progress value={done} max={Math.max(1, done + left)} aria-label={`${done} of ${done + left} decided`} />
      <span title={`${summary.total} items in all`}><b>{done}</b> done</span>
      <span><b>{left}</b> left</span>
      {minutes && <span title={minutes.low === null || minutes.high === null ? "At your own pace" : `At your own pace; ${Math.floor(minutes.low)} to ${Math.ceil(minutes.high)} minutes`}><b>{Math.ceil(minutes.estimate * share)}</b> min left</span>}
      {residual && (
        <span class="residual" title={residual.sentence}>
          {residual.estimate === null
            ? <>error not known yet</>
            : <>error <b>{percent(residual.estimate)}</b>{residual.upper !== null && <> ≤ <b>{percent(residual.upper)}</b></>} <span class="muted">(n = {residual.n})</span></>}
        </span>
      )}
    </div>
  );
}

/** Saved, saving, or offline with so many waiting; never only a colour. */
function Light({ session }: { session: Session }) {
  const outbox = session.outbox.value;
  if (!outbox) return <span class="light" />;
  const waiting = outbox.waiting.value;
  const trouble = outbox.trouble.value;
  const state = trouble ? "offline" : waiting ? "saving" : "saved";
  const text = trouble ? `${trouble.status === 0 ? "Offline" : `Error ${trouble.status}`}: ${waiting} waiting` : waiting ? `Saving ${waiting}` : "Saved";
  const kept = outbox.kept.value ? "" : " This browser keeps nothing: do not close the page while decisions wait.";
  return (
    <button class={`light ${state}`} title={(trouble ? trouble.message : "Every decision is in the journal.") + kept}
      onClick={() => outbox.wake()} aria-live="polite">
      <i aria-hidden="true" />{text}{!outbox.kept.value && waiting > 0 ? " (not kept!)" : ""}
    </button>
  );
}
