// The loop of learning: which volume to annotate next, and corrections that reach similar volumes at once.
import type { ViewContext } from "../../view.ts";
import { ApiError } from "../../view.ts";
import { element } from "../units/dom.ts";

/** Moves that follow each other closely are one correction. */
const SETTLE_MS = 500;
const POLL_MS = 40;

interface Next {
  frame: number | null;
  righted: number;
  wrong: number;
  helped: number;
  annotated: number;
  calibrated: boolean;
}

interface Alike {
  frames: number[];
  points: number;
  looked_at: number;
}

export interface LoopActs {
  go(frame: number): Promise<void>;
  /** Points of other volumes are other than they were. */
  reload(): Promise<void>;
}

const count = (n: number): string => Math.round(n).toLocaleString("en");
const later = (ms: number) => new Promise<void>((resolve) => { setTimeout(resolve, ms); });

export class Loop {
  readonly root = element("p", { class: "pt-loop", role: "status" });
  private readonly context: ViewContext;
  private readonly acts: LoopActs;
  private follows = true;
  private asked = 0;
  private readonly corrected = new Set<number>();

  constructor(context: ViewContext, acts: LoopActs) {
    this.context = context;
    this.acts = acts;
  }

  /** Goes to the volume whose annotation is expected to put most right, and says how much. */
  async next(): Promise<void> {
    const found = await this.context.api.json<Next>(this.path("next"));
    if (found.frame === null) return this.say("No volume is left to annotate: every point is decided.");
    this.say(sentence(found));
    this.context.announce(sentence(found));
    await this.acts.go(found.frame);
  }

  /** Whether what is corrected in one volume is put right in similar ones. */
  toggle(): void {
    this.follows = !this.follows;
    this.context.announce(this.follows ? "Similar volumes follow corrections." : "Corrections stay in their volume.");
  }

  /** A neuron was put elsewhere in a volume; volumes like it are asked for once the server has that. */
  async correct(frame: number): Promise<void> {
    if (!this.follows) return;
    this.corrected.add(frame);
    const turn = ++this.asked;
    await later(SETTLE_MS);
    while (turn === this.asked && this.context.waiting()) await later(POLL_MS);
    if (turn !== this.asked) return;
    const frames = [...this.corrected];
    this.corrected.clear();
    for (const one of frames) await this.carry(one).catch((error: unknown) => { if (!(error instanceof ApiError)) throw error; });
  }

  private async carry(frame: number): Promise<void> {
    const found = await this.context.api.post<Alike>(`${this.path("alike")}`, { frame });
    this.root.dataset.alike = String(found.frames.length);
    if (!found.points) return;
    const volumes = found.frames.length === 1 ? "1 similar volume" : `${count(found.frames.length)} similar volumes`;
    const text = `As volume ${count(frame)} was corrected: ${count(found.points)} points in ${volumes} were put right. Undo takes them back.`;
    this.say(text);
    this.context.announce(text);
    await this.acts.reload();
  }

  private say(text: string): void {
    this.root.textContent = text;
  }

  private path(rest: string): string {
    return `desks/${this.context.desk.key}/points/${rest}`;
  }
}

export function sentence({ frame, righted, wrong, helped, calibrated }: Next): string {
  const where = helped === 1 ? "1 volume like it" : `${count(helped)} volumes like it`;
  if (!calibrated) return `Annotate volume ${count(frame!)} next: it is least like those that are known. The method says no confidence.`;
  return `Annotate volume ${count(frame!)} next: that is expected to right ${count(righted)} of ${count(wrong)} wrong neuron-frames, in it and ${where}.`;
}
