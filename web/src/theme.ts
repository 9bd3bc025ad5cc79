// Light and dark, and the palette that canvas code draws with (Okabe and Ito's, safe for the colour-blind).
import { signal } from "@preact/signals";

export const theme = signal<"light" | "dark">("light");

/** Value of a CSS variable of the palette now, e.g. cssColour("--accent"). */
export function cssColour(variable: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(variable).trim();
}

export function applyTheme(name: "light" | "dark"): void {
  document.documentElement.dataset.theme = name;
  theme.value = name;
}

export function systemTheme(): "light" | "dark" {
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}
