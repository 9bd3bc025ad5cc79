// How likely each class is: one bar with "unknown" hatched, and buttons to compare with a class.
import type { VocabularyEntry } from "../../view.ts";

export interface ChancesProps {
  vocabulary: VocabularyEntry[];
  /** One per class; null where none is told. */
  chances: readonly number[] | null;
  hidden: boolean;
  compared: string | null;
  /** Classes that have an exemplar. */
  known: ReadonlySet<string>;
  compare: (name: string) => void;
}

export const isUnknown = (name: string): boolean => name.toLowerCase() === "unknown";

export function percent(share: number): string {
  const value = 100 * share;
  return value > 0 && value < 0.5 ? "< 1 %" : `${Math.round(value)} %`;
}

export function Chances({ vocabulary, chances, hidden, compared, known, compare }: ChancesProps) {
  const shares = hidden ? null : chances;
  const order = vocabulary.map((entry, k) => ({ entry, share: shares?.[k] ?? null }));
  return (
    <section class="ct-chances" aria-label="Probability of each class">
      {shares
        ? <div class="ct-bar" role="img" aria-label={order.map(({ entry, share }) => `${entry.name} ${percent(share ?? 0)}`).join(", ")}>
            {order.map(({ entry, share }) => (
              <span key={entry.name} data-class={entry.name} data-share={share} class={isUnknown(entry.name) ? "ct-unknown" : ""}
                ref={(element) => { if (element) { element.style.flexGrow = String(share); if (!isUnknown(entry.name)) element.style.background = entry.colour; } }} />
            ))}
          </div>
        : <p class="ct-bar ct-nothing muted">{hidden ? "Probabilities are hidden until you have decided." : "No probabilities are told."}</p>}
      <div class="ct-classes" role="group" aria-label="Compare with a class">
        {order.map(({ entry, share }) => (
          <button key={entry.name} type="button" class="quiet" aria-pressed={entry.name === compared} disabled={!known.has(entry.name)}
            title={known.has(entry.name) ? `Compare with ${entry.name}` : `Nothing to compare with for ${entry.name}`} onClick={() => compare(entry.name)}>
            <i aria-hidden="true" class={isUnknown(entry.name) ? "dot ct-unknown" : "dot"} ref={(element) => { if (element && !isUnknown(entry.name)) element.style.background = entry.colour; }} />
            {entry.name}{share !== null && <b class="num">{percent(share)}</b>}
          </button>
        ))}
      </div>
    </section>
  );
}
