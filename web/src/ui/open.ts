// Which panel or dialog is open.
import { signal } from "@preact/signals";

export const dialog = signal<"help" | "command" | "note" | "reader" | null>(null);
export const showWhy = signal(false);
