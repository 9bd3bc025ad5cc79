// The shell's own commands: what every label kind shares. Views add theirs beside them.
import type { AdviceAnswer } from "./advice.ts";
import { adviceText } from "./advice.ts";
import { nameBudget } from "./budget.ts";
import { choose, prepare } from "../core/batch.ts";
import { KEY_MAPS, keyMap } from "../core/keymaps.ts";
import { normaliseKey } from "../core/keys.ts";
import type { Session } from "../core/session.ts";
import { acceptItem, decideClass, flagItem, noteItem, rejectItem, unsureItem } from "../decisions.ts";
import type { Command, DeskInfo, DraftEdit, QueueEntry } from "../view.ts";
import { dialog, showWhy, typed } from "./open.ts";

interface Here {
  desk: DeskInfo;
  entry: QueueEntry;
}

export function shellCommands(session: Session): Command[] {
  const here = (): Here | null => {
    const entry = session.queue.current.value;
    const desk = session.desk.value;
    if (session.route.value.page === "review" && entry && desk) {
      if (session.itemsOf(desk.key).table.value) return { entry, desk };
      session.announce("One moment: the items of this desk are on their way.");
      return null; // what a key means depends on what stands
    }
    session.announce("No item is shown.");
    return null;
  };
  const decide = (make: (at: Here) => DraftEdit | undefined, otherwise: string): void => {
    const at = here();
    if (!at) return;
    const draft = make(at);
    if (draft) session.decide(at.desk, [draft], { advance: true });
    else session.announce(otherwise);
  };
  const context = (desk: DeskInfo) => session.context(desk);
  const page = (name: string) => () => { location.hash = `#/${name}`; };
  return [
    { name: "accept", help: "Accept what is proposed; with a filter or `selection`: many at once", key: "Space", run: (rest) =>
      rest ? bulk(session, rest, null)
        : decide(({ desk, entry }) => acceptItem(context(desk), entry.item), "Nothing is proposed, or it is hidden: choose a class.") },
    { name: "reject", help: "Reject: this is not what it claims to be", key: "x", run: () =>
      decide(({ desk, entry }) => rejectItem(context(desk), entry.item), "") },
    { name: "unsure", help: "Unsure: decide later or leave it to others", key: "u", run: () =>
      decide(({ desk, entry }) => unsureItem(context(desk), entry.item), "") },
    { name: "back", help: "Back to the item before", key: "Shift+Space", run: () => session.back() },
    { name: "next", help: "Next item without deciding", key: "j", run: () => session.next() },
    { name: "undo", help: "Undo, without limit, also what was decided before a restart", key: "Ctrl+z", run: () => session.undo() },
    { name: "redo", help: "Do again", key: "Ctrl+y", run: () => session.redo() },
    { name: "why", help: "Why: what speaks for and against, nearest examples", key: "w", run: () => { showWhy.value = !showWhy.value; } },
    { name: "note", help: "Write a note on the item", key: "n", run: (rest) => {
      const at = here();
      if (!at) return;
      if (rest) session.decide(at.desk, [noteItem(context(at.desk), at.entry.item, rest)]);
      else { typed.value = ""; dialog.value = "note"; }
    } },
    { name: "flag", help: "Flag the item for a second reader", key: "f", run: (rest) => {
      const at = here();
      if (at) session.decide(at.desk, [flagItem(context(at.desk), at.entry.item, rest)]);
    } },
    { name: "help", help: "Show or hide all keys; there they can be changed", key: "?", run: () => { dialog.value = dialog.value === "help" ? null : "help"; } },
    { name: "command", help: "Command line", key: "/", run: () => { typed.value = ""; dialog.value = "command"; } },
    { name: "label", help: "`/label good selection`, `/label mua snr<3`: one class for many items", run: (rest) => {
      const [name = "", ...words] = rest.trim().split(/\s+/);
      bulk(session, words.join(" "), name);
    } },
    { name: "goto", help: "`/goto 12`: show item 12 of this desk", run: (rest) => {
      const at = here();
      if (at && /^-?\d+$/.test(rest.trim())) void session.visit(at.desk.key, Number(rest));
      else session.announce("Expected the number of an item, as in /goto 12.");
    } },
    { name: "desk", help: "`/desk name`: only this source; `/desk` alone: all", run: (rest) => {
      const wanted = rest.trim().toLowerCase();
      const found = session.project.value?.desks.find((desk) => `${desk.source_name} ${desk.task}`.toLowerCase().includes(wanted));
      session.onlyDesk.value = wanted && found ? found.key : null;
      session.announce(wanted && !found ? `No desk is called ${rest}.` : found && wanted ? `Only ${found.source_name}.` : "All desks.");
      void session.restart();
    } },
    { name: "policy", help: "`/policy random`: what is asked first; alone: as the project chooses", run: (rest) => void session.change({ policy: rest.trim() || null }) },
    { name: "stop", help: "May I stop? What is still wrong, and what more decisions would change", run: async () => {
      const desk = session.desk.value;
      if (!desk) return session.announce("No desk is shown.");
      const { advice } = await session.api.json<AdviceAnswer>("advice", { task: desk.task });
      session.announce(advice ? adviceText(advice) : `Of ${desk.task} nothing is left that a method is sure of: decide what is asked.`);
    } },
    { name: "budget", help: "`/budget 5`: at most 5 % of what is accepted without a look may be wrong", run: async (rest) => {
      const desk = session.desk.value;
      const percent = Number(rest.trim().replace(/\s*%$/, ""));
      if (!desk || !(percent > 0)) return session.announce("Expected a share in percent, as in /budget 5.");
      await nameBudget(session, desk.task, percent);
    } },
    { name: "blind", help: "Hide or show the model's answer until one has decided", key: "h", run: () => {
      const blind = !session.settings.value.blind;
      session.announce(blind ? "Blind: the model's answer is hidden until you decide." : "The model's answer is shown.");
      void session.change({ blind });
    } },
    { name: "theme", help: "Light or dark", key: "Ctrl+Shift+l", run: () => void session.change({ theme: document.documentElement.dataset.theme === "dark" ? "light" : "dark" }) },
    { name: "reader", help: "`/reader Ada`: go on as another reader", run: (rest) => {
      if (rest.trim()) void session.enter(rest);
      else dialog.value = "reader";
    } },
    { name: "key", help: "`/key accept Enter`: another key for a command; `/key accept`: its own again", run: (rest) => {
      const [name = "", key] = rest.trim().split(/\s+/);
      if (!session.keys.named(name)) return session.announce(`No command is called ${name || "so"}.`);
      remap(session, name, key);
    } },
    { name: "keys", help: "`/keys quality` (g m n), `/keys phy`, `/keys sleep`, `/keys nissl`: a whole key map", run: (rest) => {
      const name = rest.trim().toLowerCase() || "nissl";
      const keys = keyMap(name);
      if (!keys) return session.announce(`No key map is called ${name}; there are ${Object.keys(KEY_MAPS).join(", ")}.`);
      void session.change({ keys });
      session.announce(name === "nissl" ? "Every command has its own key again." : `Keys are those of ${name}; ? shows them.`);
    } },
    { name: "review", help: "The queue", key: "Alt+1", run: page("review") },
    { name: "overview", help: "Overview: sessions, confidence, readers, models", key: "Alt+2", run: page("overview") },
    { name: "history", help: "History: who changed what; revert a range", key: "Alt+3", run: page("history") },
    { name: "readers", help: "Readers: agreement, adjudication, training", key: "Alt+4", run: page("readers") },
    { name: "maps", help: "Error maps: who predicts whom, what came, why not", key: "Alt+5", run: page("maps") },
  ];
}

/** A key of one's own for a command; without a key its default comes back. */
export function remap(session: Session, command: string, key: string | undefined): void {
  const keys = { ...session.settings.value.keys };
  if (key === undefined) delete keys[command];
  else keys[command] = normaliseKey(key);
  void session.change({ keys });
  session.announce(key ? `${command} is now ${keys[command]}.` : `${command} has its own key again.`);
}

/** One command per class of the desk, under the class's key. */
export function classCommands(session: Session, desk: DeskInfo): Command[] {
  return desk.vocabulary.map((entry) => ({
    name: `class-${entry.name}`,
    help: `This is: ${entry.name}`,
    key: entry.key,
    run: () => {
      const item = session.queue.current.value?.item;
      if (item !== undefined) session.decide(desk, [decideClass(session.context(desk), item, entry.name)], { advance: true });
    },
  }));
}

/** Prepares a batch and shows its preview. */
function bulk(session: Session, words: string, name: string | null): void {
  const desk = session.desk.value;
  if (!desk) return session.announce("No desk is shown.");
  try {
    const items = session.itemsOf(desk.key);
    session.bulk.value = prepare(session.context(desk), items, choose(items, words, session.selection.value), name);
  } catch (error) {
    session.announce(error instanceof Error ? error.message : String(error));
  }
}
