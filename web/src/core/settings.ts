// What a reader chose: keys, theme, blind reading, policy. Kept by the server under the reader's name.
import type { Api } from "../view.ts";

export interface Settings {
  /** Command -> key. */
  keys: Record<string, string>;
  /** Null follows the system. */
  theme: "light" | "dark" | null;
  blind: boolean;
  /** Null lets the project choose. */
  policy: string | null;
}

export const DEFAULTS: Settings = { keys: {}, theme: null, blind: false, policy: null };

/** Takes what is well-formed of a stored value, defaults for the rest. */
export function readSettings(value: unknown): Settings {
  const given = (value ?? {}) as Partial<Record<keyof Settings, unknown>>;
  const keys = Object.entries((given.keys ?? {}) as Record<string, unknown>).filter(
    (pair): pair is [string, string] => typeof pair[1] === "string",
  );
  return {
    keys: Object.fromEntries(keys),
    theme: given.theme === "light" || given.theme === "dark" ? given.theme : null,
    blind: given.blind === true,
    policy: typeof given.policy === "string" ? given.policy : null,
  };
}

export async function loadSettings(api: Api): Promise<Settings> {
  const answer = await api.json<{ settings?: unknown }>("settings");
  return readSettings(answer.settings ?? answer);
}

export function saveSettings(api: Api, reader: string, settings: Settings): Promise<unknown> {
  return api.put("settings", { reader, settings });
}

const NAME = "nissl-reader";

/** The reader of this browser's last visit; "" where none is known. */
export function lastReader(): string {
  try {
    return localStorage.getItem(NAME) ?? "";
  } catch {
    return "";
  }
}

export function rememberReader(name: string): void {
  try {
    localStorage.setItem(NAME, name);
  } catch {
    // a private window: the name is asked for again at the next visit
  }
}
