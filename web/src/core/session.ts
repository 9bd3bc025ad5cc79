// The page's one state: project, reader, queue, desks, decisions on their way, undo.
import { batch, computed, signal } from "@preact/signals";
import { createApi } from "../api.ts";
import { applyTheme, systemTheme, theme } from "../theme.ts";
import type { Api, DeskInfo, DraftEdit, ItemState, ViewContext } from "../view.ts";
import { ApiError } from "../view.ts";
import type { Batch as Bulk } from "./batch.ts";
import { Desks } from "./desks.ts";
import { describe, isAnswer, isStructure, targetsOf, toEdits, undoEdits } from "./deciding.ts";
import type { Moment } from "./deciding.ts";
import type { DeskItems } from "./deskitems.ts";
import { Keys } from "./keys.ts";
import type { Batch } from "./outbox.ts";
import { Outbox } from "./outbox.ts";
import { indexedDbKeep } from "./outboxdb.ts";
import { LIMIT, Queue } from "./queue.ts";
import type { Route } from "./router.ts";
import { itemAddress, parseRoute } from "./router.ts";
import type { Settings } from "./settings.ts";
import { DEFAULTS, lastReader, loadSettings, rememberReader, saveSettings } from "./settings.ts";
import type { Step } from "./undo.ts";
import { UndoStack } from "./undo.ts";
import type { Acknowledgement, EditJson, QueueAnswer, StackEntry } from "./wire.ts";

/** Decisions after which the server's order of the queue is asked for again. */
const REFRESH_EVERY = 10;
/** Answers of others are gathered for so long before the queue is asked for again. */
const OTHERS_MS = 1000;

interface Told {
  desk: string;
  item: number;
  sentence: string;
  correct: boolean;
}

export interface Refusal {
  edits: EditJson[];
  error: ApiError;
}

const uuid = (): string => crypto.randomUUID();

export class Session {
  readonly reader = signal("");
  readonly settings = signal<Settings>(DEFAULTS);
  readonly route = signal<Route>(parseRoute(location.hash));
  readonly message = signal("");
  readonly failure = signal<ApiError | null>(null);
  readonly refusals = signal<Refusal[]>([]);
  readonly selection = signal<number[]>([]);
  readonly bulk = signal<Bulk | null>(null);
  /** The item after one, where the reader reads in the recording's order; null: as the queue asks. */
  readonly order = signal<((item: number) => number | undefined) | null>(null);
  readonly queue = new Queue();
  readonly undoStack = new UndoStack();
  readonly keys = new Keys();
  readonly outbox = signal<Outbox | null>(null);
  /** Only this desk's entries are asked for; null for all. */
  readonly onlyDesk = signal<string | null>(null);
  readonly loading = signal(false);
  readonly desk = computed<DeskInfo | null>(() => this.deskInfo(this.queue.current.value?.desk ?? null));
  readonly blind = (): boolean => this.settings.value.blind || this.queue.current.value?.blind === true;
  readonly api: Api = createApi(() => this.reader.value, () => this.settings.value.blind);

  readonly desks = new Desks(this.api);
  readonly project = this.desks.project;
  /** Task whose gold items this reader trains on: each answer is followed by what is right. */
  readonly training = signal<string | null>(null);
  readonly feedback = signal<{ sentence: string; correct: boolean } | null>(null);
  private shownAt = performance.now();
  private refill: Promise<void> | null = null;
  /** The address that was followed, or written, last. */
  private place = location.hash;
  private others: ReturnType<typeof setTimeout> | undefined;
  private seen = 0;
  private events: EventSource | null = null;

  /** Reads the project and, when the reader is known, the reader's settings and queue. */
  async start(): Promise<void> {
    applyTheme(systemTheme());
    addEventListener("hashchange", () => void this.follow());
    addEventListener("online", () => this.outbox.value?.wake());
    await this.guard(async () => {
      this.seen = (await this.desks.load()).position;
      // a browser that was killed may have lost the name, but not the decisions
      const name = lastReader() || (await indexedDbKeep().reader(this.project.value?.id ?? "").catch(() => ""));
      if (name) await this.enter(name);
    });
  }

  /** Desks as they are now: a model was put into use, a run has ended. */
  async reloadProject(): Promise<void> {
    await this.desks.load();
    await this.desks.reloadLoaded();
    await this.restart();
  }

  /** Something other than a decision of this page changed a desk. */
  async refreshAfter(desk: string): Promise<void> {
    await this.desks.reload(desk);
    this.undoStack.clear();
    await this.loadStack();
    await this.fill();
  }

  /** Goes on as this reader. */
  async enter(name: string): Promise<void> {
    const project = this.project.value;
    if (!project) return;
    this.leave();
    this.reader.value = name.trim();
    rememberReader(this.reader.value);
    const outbox = new Outbox((body) => this.api.post<Acknowledgement>("decisions", body), indexedDbKeep(),
      `${project.id}|${this.reader.value}`, { acknowledged: (b, a) => this.acknowledged(b, a), refused: (b, e) => this.refused(b, e) });
    this.outbox.value = outbox;
    await this.guard(async () => {
      this.settings.value = await loadSettings(this.api).catch(() => DEFAULTS);
      applyTheme(this.settings.value.theme ?? systemTheme());
      this.keys.mapping.value = this.settings.value.keys;
      const left = await outbox.open();
      for (const waiting of left) await this.desks.paint(waiting.edits);
      await this.loadStack();
      await this.follow();
      if (!this.queue.current.value) await this.fill();
    });
    this.listen();
  }

  private leave(): void {
    this.outbox.value?.close();
    this.events?.close();
    this.queue.clear();
    this.undoStack.clear();
    this.desks.clear();
  }

  deskInfo(key: string | null): DeskInfo | null {
    return this.desks.info(key);
  }

  itemsOf(desk: string): DeskItems {
    return this.desks.itemsOf(desk);
  }

  context(desk: DeskInfo): ViewContext {
    const items = this.itemsOf(desk.key);
    return {
      api: this.api,
      desk,
      reader: () => this.reader.value,
      decide: (edits, options) => this.decide(desk, edits, options),
      waiting: () => this.outbox.value?.waiting.value ?? 0,
      announce: (text) => this.announce(text),
      goto: (item) => void this.visit(desk.key, item),
      theme,
      blind: this.blind,
      selection: this.selection,
      state: (item) => this.seenState(desk.key, item),
      items: items.table,
      version: items.version,
      keys: this.keys,
      order: this.order,
    };
  }

  /** An item's state without what the reader must not see yet. */
  seenState(desk: string, item: number): ItemState | undefined {
    const state = this.itemsOf(desk).get(item);
    const entry = this.queue.current.value;
    const hidden = entry?.blind === true && entry.desk === desk && entry.item === item && state?.state === "untouched";
    return hidden ? { ...state, proposed: null, confidence: null, label: null } : state;
  }

  announce(text: string): void {
    this.message.value = text;
  }

  /** Called by the stage when an entry is on the screen: the time of a decision starts here. */
  shown(): void {
    this.shownAt = performance.now();
  }

  private moment(): Moment {
    const took_s = Math.round(performance.now() - this.shownAt) / 1000;
    return { reviewer: this.reader.value, when_s: Date.now() / 1000, took_s };
  }

  decide(desk: DeskInfo, drafts: DraftEdit[], options: { advance?: boolean } = {}): void {
    const outbox = this.outbox.value;
    if (!outbox || !drafts.length) return;
    const edits = toEdits(desk, drafts, this.moment(), uuid);
    const patches = drafts.flatMap((draft) => draft.optimistic ?? []);
    const items = this.itemsOf(desk.key);
    const entry = this.queue.current.value;
    const answers = isAnswer(edits);
    batch(() => {
      let before = items.patch(patches);
      this.undoStack.push({
        targets: targetsOf(edits), label: describe(edits), structure: isStructure(edits),
        at: entry && entry.desk === desk.key ? { desk: desk.key, item: entry.item } : null,
        revert: () => items.restore(before),
        apply: () => { before = items.patch(patches); },
      });
      if (answers) for (const edit of edits) for (const item of this.desks.itemsOfEdit(desk, edit)) this.desks.mark(desk.key, item);
      const isEntry = entry?.desk === desk.key && (patches.some(([item]) => item === entry.item) || options.advance === true);
      outbox.add(edits, answers && isEntry ? entry.question : null);
      if (answers) this.queue.fresh.value += Math.max(1, patches.length);
      this.announce(`${describe(edits)}.`);
      if (options.advance) this.next();
    });
  }

  undo(): void {
    let edits: EditJson[] = [];
    const step = this.undoStack.undo(({ targets }) => {
      edits = undoEdits(targets, this.moment(), uuid);
      return targetsOf(edits);
    });
    if (!step) return this.announce("Nothing to undo.");
    this.takeBack(step, step.revert, edits, `Undone: ${step.label}.`);
  }

  redo(): void {
    const step = this.undoStack.redo();
    if (!step) return this.announce("Nothing to do again.");
    const edits = undoEdits(step.undoneBy ?? [], this.moment(), uuid);
    this.takeBack(step, step.apply, edits, `Done again: ${step.label}.`);
  }

  private takeBack(step: Step, paint: (() => void) | undefined, edits: EditJson[], said: string): void {
    paint?.();
    this.outbox.value?.add(edits, null);
    this.announce(said);
    const at = step.at ?? this.placeOf(step);
    if (!at) return;
    this.desks.reopen(at.desk, at.item);
    void this.visit(at.desk, at.item);
  }

  /** Desk and item that a step of an earlier page was about. */
  private placeOf({ about = [] }: Step): Step["at"] {
    const first = about.find(({ items }) => items.length);
    const desk = first && this.desks.ofBase(first.base);
    if (!first || !desk) return null;
    const item = first.base === desk.key ? first.items[0] : this.itemsOf(desk.key).ofClass(first.items[0]!);
    return item === undefined ? null : { desk: desk.key, item };
  }

  private acknowledged(sent: Batch, answer: Acknowledgement): void {
    this.seen = Math.max(this.seen, answer.position);
    this.desks.release(sent.edits);
    const first = sent.edits[0];
    const desk = first ? this.desks.ofBase(first.base) : undefined;
    const refetch = isStructure(sent.edits) || first?.kind === "undo";
    if (this.training.value && isAnswer(sent.edits) && desk) void this.guard(() => this.tell(desk, sent.edits));
    if (desk && refetch) void this.guard(() => this.desks.reload(desk.key));
    if (this.queue.fresh.value >= REFRESH_EVERY || first?.kind === "undo" || refetch) void this.fill();
  }

  /** In training: what was right, once the answer is on record. */
  private async tell(desk: DeskInfo, edits: readonly EditJson[]): Promise<void> {
    const about = new Set(edits.flatMap((edit) => this.desks.itemsOfEdit(desk, edit)));
    const { feedback } = await this.api.json<{ feedback: Told[] }>("readers/training", { task: this.training.value });
    const told = feedback.findLast((one) => one.desk === desk.key && about.has(one.item));
    this.feedback.value = told ?? null;
    if (told) this.announce(told.sentence);
  }

  private refused(sent: Batch, error: ApiError): void {
    this.desks.release(sent.edits);
    const names = sent.edits.flatMap((edit) => [edit.uuid, ...(edit.group ? [edit.group] : [])]);
    for (const step of this.undoStack.drop(new Set(names))) step.revert?.();
    if (sent.edits[0]?.kind === "undo") {
      this.undoStack.clear(); // what stands on it is the journal's to say
      void this.guard(() => this.loadStack());
    }
    this.refusals.value = [...this.refusals.value, { edits: sent.edits, error }];
    this.announce(`The server refused: ${describe(sent.edits)}. ${error.message}`);
    for (const key of new Set(sent.edits.map((edit) => this.desks.ofBase(edit.base)?.key))) {
      if (key) void this.guard(() => this.desks.reload(key));
    }
    void this.fill();
  }

  private async loadStack(): Promise<void> {
    const answer = await this.api.json<{ undo: StackEntry[]; redo: StackEntry[] }>("stack");
    this.undoStack.load(answer.undo, answer.redo);
  }

  // the queue

  /** Asks the server for what comes next; one request at a time. */
  fill(): Promise<void> {
    this.refill ??= this.ask().finally(() => {
      this.refill = null;
    });
    return this.refill;
  }

  private async ask(): Promise<void> {
    const settled = this.desks.settledFromNow();
    this.loading.value = this.queue.current.value === null;
    await this.guard(async () => {
      const { policy } = this.settings.value;
      const answer = await this.api.json<QueueAnswer>("queue", { limit: LIMIT, desk: this.onlyDesk.value, policy });
      batch(() => this.queue.take(answer, settled));
      this.address();
    });
    this.loading.value = false;
    for (const desk of new Set(this.queue.ahead().map((entry) => entry.desk))) {
      void this.desks.ensure(desk).catch(() => undefined);
    }
  }

  next(): void {
    const entry = this.queue.current.value;
    const following = entry ? this.order.value?.(entry.item) : undefined;
    if (entry && following !== undefined) {
      this.selection.value = [];
      return void this.visit(entry.desk, following);
    }
    this.queue.next();
    this.selection.value = [];
    this.address();
    if (this.queue.isShort || this.queue.isUnasked) void this.fill();
  }

  back(): void {
    if (!this.queue.back()) return this.announce("This is the first item.");
    this.selection.value = [];
    this.address();
  }

  /** Shows any item of any desk; `next` leads on with the queue. */
  async visit(desk: string, item: number): Promise<void> {
    await this.guard(async () => {
      await this.desks.ensure(desk);
      const state = this.itemsOf(desk).get(item);
      const hidden = this.settings.value.blind || !state?.proposed;
      this.queue.visit({
        desk, item, reason: "opened by you", policy: "visit", probability: null, question: null,
        proposed: hidden ? null : { label: state.proposed!, confidence: state.confidence },
        blind: this.settings.value.blind,
      });
      this.address();
    });
  }

  /** The address bar names the item on the screen. */
  private address(): void {
    const entry = this.queue.current.value;
    if (!entry || this.route.value.page !== "review") return;
    if (location.hash !== this.place) return; // somebody is on the way elsewhere, and follow() comes
    this.place = itemAddress(entry.desk, entry.item);
    if (location.hash !== this.place) history.replaceState(null, "", this.place);
  }

  private async follow(): Promise<void> {
    this.place = location.hash;
    const route = parseRoute(this.place);
    if (route.page !== this.route.value.page) this.message.value = "";
    this.route.value = route;
    if (route.page !== "review" || !this.reader.value) return;
    const only = route.desk !== undefined && route.item === undefined ? route.desk : null;
    if (only !== null && only !== this.onlyDesk.value) {
      this.onlyDesk.value = only;
      await this.restart();
    } else if (route.desk !== undefined && route.item !== undefined) {
      await this.visit(route.desk, route.item);
      if (this.queue.isShort) await this.fill();
    }
    if (!this.queue.current.value) await this.fill();
    this.address();
  }

  /** A new queue from the start: another policy, desk or mode. */
  async restart(): Promise<void> {
    this.queue.clear();
    await this.refill;
    this.queue.clear(); // what was under way was asked before
    await this.fill();
  }

  async change(settings: Partial<Settings>): Promise<void> {
    const before = this.settings.value;
    this.settings.value = { ...before, ...settings };
    this.keys.mapping.value = this.settings.value.keys;
    applyTheme(this.settings.value.theme ?? systemTheme());
    await this.guard(async () => {
      await saveSettings(this.api, this.reader.value, this.settings.value);
      if (before.blind !== this.settings.value.blind) await this.desks.reloadLoaded();
      if (before.blind !== this.settings.value.blind || before.policy !== this.settings.value.policy) await this.restart();
    });
  }

  /** Server-sent word that the journal grew; own decisions are known already. */
  private listen(): void {
    this.events = new EventSource("api/events");
    this.events.onmessage = (event) => {
      const { position } = JSON.parse(event.data as string) as { position: number };
      setTimeout(() => {
        if (position > this.seen && !this.outbox.value?.waiting.value) void this.catchUp();
      }, 300);
    };
  }

  private async catchUp(): Promise<void> {
    await this.guard(async () => {
      const answer = await this.api.json<{ position: number; edits: Array<{ edit: EditJson }> }>("edits", { after: this.seen });
      this.seen = Math.max(this.seen, answer.position);
      const mine = answer.edits.filter(({ edit }) => edit.reviewer === this.reader.value);
      await this.desks.reloadLoaded(new Set(mine.map(({ edit }) => this.desks.ofBase(edit.base)?.key ?? "")));
      if (answer.edits.some(({ edit }) => edit.reviewer !== this.reader.value && this.isAhead(edit))) {
        this.others ??= setTimeout(() => { this.others = undefined; void this.fill(); }, OTHERS_MS);
      }
    });
  }

  /** Whether somebody else answered what this reader would be asked soon. */
  private isAhead(edit: EditJson): boolean {
    const desk = isAnswer([edit]) ? this.desks.ofBase(edit.base) : undefined;
    const items = new Set(desk ? this.desks.itemsOfEdit(desk, edit) : []);
    return this.queue.ahead().some((entry) => entry.desk === desk?.key && items.has(entry.item));
  }

  /** Shows what failed instead of losing it; a lost connection is the outbox's matter. */
  async guard(work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.failure.value = null;
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") return;
      this.failure.value = error instanceof ApiError
        ? error
        : new ApiError(0, "the page to work", error instanceof Error ? error.message : String(error), "Reload the page.");
    }
  }
}
