// Which panel or dialog is open.
import { signal } from "@preact/signals";

export const dialog = signal<"help" | "command" | "note" | "reader" | null>(null);
export const showWhy = signal(false);
/** What is written in the command line or the note; keys that come before it is drawn count too. */
export const typed = signal("");
