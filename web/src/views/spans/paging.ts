// The page of traces and the spectrogram that are on the screen, and those on their way.
import type { Api } from "../../view.ts";
import type { Latest } from "./latest.ts";
import { pageStore, shared, type StripQuery, stripStore, type TraceQuery } from "./recording.ts";
import type { Strip } from "./stripspaint.ts";
import type { TracePage } from "./tracepaint.ts";

const AGAIN_MS = 1000;
const STRIP_MS = 60;

/** What is wanted now, and who is told of what came. */
export interface Wishes {
  page(): TraceQuery;
  /** Null where no spectrogram is shown. */
  strip(): StripQuery | null;
  paged(page: TracePage): void;
  stripped(): void;
  failed(error: unknown): void;
}

export class Paging {
  page: TracePage | undefined;
  strip: Strip | undefined;
  private shown: TraceQuery | undefined;
  private readonly pages: Latest<TraceQuery, TracePage>;
  private readonly strips: Latest<StripQuery, Strip>;
  private readonly wishes: Wishes;
  private again: ReturnType<typeof setTimeout> | undefined;
  private soon: ReturnType<typeof setTimeout> | undefined;

  constructor(api: Api, desk: string, wishes: Wishes) {
    this.wishes = wishes;
    this.pages = pageStore(api, desk, (error) => wishes.failed(error));
    this.strips = stripStore(api, desk, () => undefined);
  }

  /** Takes what is kept of the page that is wanted; else fetches it, and promises true once it is shown. */
  refresh(): Promise<boolean> | undefined {
    const query = this.wishes.page();
    clearTimeout(this.again);
    this.refreshStrip();
    const kept = this.pages.get(query);
    if (!kept) return this.pages.want(query).then((page) => page !== undefined && this.take(page, query));
    this.take(kept, query);
    return undefined;
  }

  prefetch(query: TraceQuery): void {
    void this.pages.prefetch(query);
  }

  close(): void {
    clearTimeout(this.again);
    clearTimeout(this.soon);
    this.pages.clear();
    this.strips.clear();
  }

  /** Shows a page where it shows more of what is wanted than the one that is shown. */
  private take(page: TracePage, query: TraceQuery): boolean {
    const wanted = this.wishes.page();
    const exactly = JSON.stringify(query) === JSON.stringify(wanted);
    const alike = JSON.stringify({ ...query, start: 0, stop: 0 }) === JSON.stringify({ ...wanted, start: 0, stop: 0 });
    if (!exactly && !(alike && shared(query, wanted) > (this.shown ? shared(this.shown, wanted) : 0))) return false;
    this.page = page;
    this.shown = query;
    this.wishes.paged(page);
    if (exactly && !page.exact) {
      clearTimeout(this.again);
      this.again = setTimeout(() => void this.pages.renew(query).then((newer) => newer && this.take(newer, query)), AGAIN_MS);
    }
    return true;
  }

  private refreshStrip(): void {
    const query = this.wishes.strip();
    if (!query) return;
    const take = (strip: Strip | undefined): void => {
      if (!strip || JSON.stringify(query) !== JSON.stringify(this.wishes.strip())) return;
      this.strip = strip;
      this.wishes.stripped();
    };
    clearTimeout(this.soon);
    const kept = this.strips.get(query);
    if (kept) take(kept);
    else this.soon = setTimeout(() => void this.strips.want(query).then(take), STRIP_MS);
  }
}
