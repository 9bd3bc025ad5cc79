// Filters of the command line: `confidence>0.95 label=good snr>=4 name~left`, joined by "and".
import type { Columns, ItemState } from "../view.ts";

export interface Term {
  column: string;
  operator: "=" | "!=" | "<" | "<=" | ">" | ">=" | "~";
  value: string;
}

const TERM = /^([A-Za-z_][\w.]*)(<=|>=|!=|=|<|>|~)(.+)$/;

/** Terms of a filter; anything else throws with what was expected. */
export function parseFilter(text: string): Term[] {
  return text.trim().split(/\s+/).filter(Boolean).map((word) => {
    const match = TERM.exec(word);
    if (!match) throw new Error(`Expected a condition such as confidence>0.95 or label=good; got ${word}.`);
    return { column: match[1]!, operator: match[2] as Term["operator"], value: match[3]! };
  });
}

const OF_STATE = ["state", "label", "confidence", "proposed", "decided_by"] as const;

/** Whether an item fits all terms; a missing value fits none. */
export function fits(terms: readonly Term[], state: ItemState, table: Columns | undefined, row: number | undefined): boolean {
  return terms.every((term) => {
    const own = OF_STATE.find((name) => name === term.column);
    if (own) return compare(state[own], term);
    if (!table?.has(term.column)) {
      const columns = [...OF_STATE, ...(table?.names ?? [])].join(", ");
      throw new Error(`Expected a column of ${columns}; got ${term.column}.`);
    }
    return row !== undefined && compare(table.values(term.column)[row], term);
  });
}

function compare(value: unknown, { operator, value: wanted }: Term): boolean {
  if (value === null || value === undefined) return false;
  if (operator === "~") return String(value).toLowerCase().includes(wanted.toLowerCase());
  const number = typeof value === "number";
  const a = number ? value : String(value);
  const b = number ? Number(wanted) : wanted;
  if (number && (Number.isNaN(a) || Number.isNaN(b))) return false;
  switch (operator) {
    case "=": return a === b;
    case "!=": return a !== b;
    case "<": return a < b;
    case "<=": return a <= b;
    case ">": return a > b;
    case ">=": return a >= b;
  }
}
