// The page: bar, the item's verdict, the view, and the other pages in chunks of their own.
import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Session } from "../core/session.ts";
import { Bar } from "./bar.tsx";
import { Dialogs } from "./dialogs.tsx";
import { showWhy } from "./open.ts";
import { Stage } from "./stage.tsx";
import { Verdict } from "./verdict.tsx";
import { Why } from "./why.tsx";

type Page = ComponentType<{ session: Session }>;

const PAGES: Record<"overview" | "history" | "readers" | "maps", () => Promise<Page>> = {
  overview: async () => (await import("../pages/overview.tsx")).Overview,
  history: async () => (await import("../pages/history.tsx")).History,
  maps: async () => (await import("../pages/maps.tsx")).Maps,
  readers: async () => (await import("../pages/readers.tsx")).Readers,
};

export function App({ session }: { session: Session }) {
  const page = session.route.value.page;
  const failure = session.failure.value;
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => { event.preventDefault(); document.getElementById("main")?.focus(); }}>To the item</a>
      <Bar session={session} />
      {failure && <p class="failure" role="alert">Expected {failure.expected}; got {failure.got}. {failure.remedy}
        <button class="quiet" onClick={() => { session.failure.value = null; }} aria-label="Close">✕</button></p>}
      <main id="main" tabIndex={-1}>
        {page === "review" ? <Review session={session} /> : session.reader.value && <Lazy key={page} load={PAGES[page]} session={session} />}
      </main>
      <div class="status" role="status" aria-live="polite">{session.message.value}</div>
      <Dialogs session={session} />
    </>
  );
}

function Review({ session }: { session: Session }) {
  const entry = session.queue.current.value;
  const summary = session.queue.summary.value;
  return (
    <>
      <Verdict session={session} />
      {session.training.value && <p class={session.feedback.value?.correct === false ? "feedback wrong" : "feedback"}>
        <b>Training.</b> {session.feedback.value?.sentence ?? "Decide; then you are told what is right."} <a href="#/readers">Progress</a></p>}
      <div class={`work${showWhy.value ? " with-why" : ""}${entry ? "" : " idle"}`}>
        <Stage session={session} />
        {showWhy.value && entry && <Why session={session} />}
      </div>
      {!entry && summary && !session.loading.value && <Done session={session} />}
      {!entry && !summary && session.reader.value && !session.failure.value && <p class="empty muted">Reading the queue …</p>}
    </>
  );
}

function Done({ session }: { session: Session }) {
  const only = session.onlyDesk.value;
  const empty = session.project.value?.desks.length === 0;
  return (
    <div class="empty">
      <h1>{empty ? "Nothing to review yet" : session.queue.summary.value?.left ? "Nothing more for you just now" : "Nothing is left in this queue"}</h1>
      <p>{empty ? "Annotate a recording first: nissl annotate." : session.queue.summary.value?.residual?.sentence ?? "Every item that was asked for is answered."}</p>
      <p>
        {only && <button onClick={() => { session.onlyDesk.value = null; void session.restart(); }}>All desks</button>}
        <button onClick={() => session.back()}>Back to the last item</button>
        <a class="button" href="#/overview">Overview</a>
      </p>
    </div>
  );
}

function Lazy({ load, session }: { load: () => Promise<Page>; session: Session }) {
  const [found, setFound] = useState<{ Page: Page } | null>(null);
  useEffect(() => {
    void session.guard(async () => setFound({ Page: await load() }));
  }, [load, session]);
  return found ? <found.Page session={session} /> : <p class="empty muted">…</p>;
}
