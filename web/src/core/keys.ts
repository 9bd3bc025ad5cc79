// Keys and the commands they run, remapped per reader.
import { signal } from "@preact/signals";
import type { Command, KeyRegistry } from "../view.ts";

export interface Bound {
  scope: string;
  command: Command;
  key: string | undefined;
}

/** "Ctrl+Shift+z", "Shift+Space", "ArrowLeft", "?": one name for one key press. */
export function keyName(event: Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey" | "shiftKey">): string {
  const key = event.key === " " ? "Space" : event.key;
  const letter = key.length === 1;
  const parts: string[] = [];
  if (event.ctrlKey || event.metaKey) parts.push("Ctrl");
  if (event.altKey) parts.push("Alt");
  const isUpper = letter && key !== key.toLowerCase();
  if (event.shiftKey && (!letter || isUpper)) parts.push("Shift");
  parts.push(letter ? key.toLowerCase() : key);
  return parts.join("+");
}

/** As `keyName` writes it, whatever the case and order in which a person wrote it. */
export function normaliseKey(written: string): string {
  const parts = written.trim().split(/\+(?=.)/);
  const key = parts.pop() ?? "";
  const has = (name: string) => parts.some((part) => part.toLowerCase() === name);
  const upper = key.length === 1 && key !== key.toLowerCase();
  return [
    ...(has("ctrl") || has("meta") || has("cmd") ? ["Ctrl"] : []),
    ...(has("alt") ? ["Alt"] : []),
    ...(has("shift") || upper ? ["Shift"] : []),
    key === " " ? "Space" : key.length === 1 ? key.toLowerCase() : key,
  ].join("+");
}

export class Keys implements KeyRegistry {
  /** Command name -> key, as the reader mapped it; "" takes a key away. */
  readonly mapping = signal<Record<string, string>>({});
  /** The same as the task on the screen has it; the reader's own keys come before it. */
  readonly ofTask = signal<Record<string, string>>({});
  readonly version = signal(0);
  private readonly scopes: Array<{ scope: string; commands: Command[] }> = [];

  add(scope: string, commands: Command[]): () => void {
    const entry = { scope, commands };
    this.scopes.push(entry);
    this.version.value += 1;
    return () => {
      this.scopes.splice(this.scopes.indexOf(entry), 1);
      this.version.value += 1;
    };
  }

  /** All commands with their keys now; of two with one key, the one registered later has it. */
  bound(): Bound[] {
    const mapping = this.effective();
    const all = this.scopes.flatMap(({ scope, commands }) =>
      commands.map((command) => ({ scope, command, key: keyFor(command, mapping) })),
    );
    const owner = new Map<string, Bound>();
    for (const bound of all) {
      const mapped = bound.command.name in mapping;
      const now = bound.key ? owner.get(bound.key) : undefined;
      const kept = now !== undefined && now.command.name in mapping && !mapped;
      if (bound.key && !kept) owner.set(bound.key, bound);
    }
    return all.map((bound) => (bound.key && owner.get(bound.key) !== bound ? { ...bound, key: undefined } : bound));
  }

  /** The reader's keys over those of the task; a task's key that the reader uses otherwise is none. */
  private effective(): Record<string, string> {
    const own = this.mapping.value;
    const used = new Set(Object.values(own).filter(Boolean).map(normaliseKey));
    const task = Object.entries(this.ofTask.value).filter(([, key]) => !used.has(normaliseKey(key)));
    return { ...Object.fromEntries(task), ...own };
  }

  find(key: string): Command | undefined {
    return this.bound().find((bound) => bound.key === key)?.command;
  }

  named(name: string): Command | undefined {
    return this.scopes.flatMap(({ commands }) => commands).reverse().find((command) => command.name === name);
  }

  keyOf(name: string): string | undefined {
    return this.bound().find((bound) => bound.command.name === name)?.key;
  }
}

function keyFor(command: Command, mapping: Record<string, string>): string | undefined {
  const mapped = mapping[command.name];
  const key = mapped === undefined ? command.key : mapped;
  return key ? normaliseKey(key) : undefined;
}
