// Key presses to commands, at the window; fields keep their own keys.
import { keyPressed } from "../core/latency.ts";
import { keyName } from "../core/keys.ts";
import type { Session } from "../core/session.ts";
import { dialog, typed } from "./open.ts";

function isWriting(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return !["checkbox", "radio", "button", "range"].includes(target.type);
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement || target.isContentEditable;
}

/** Space and Enter belong to the button, link or summary that has the focus, Space to a box that is ticked. */
function presses(target: EventTarget | null, key: string): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return key === "Space" || key === "Shift+Space";
  return (key === "Enter" || key === "Space") && target.closest("button, a[href], summary, [role=button]") !== null;
}

export function listenToKeys(session: Session): () => void {
  const onKey = (event: KeyboardEvent): void => {
    if (event.defaultPrevented || event.isComposing || isWriting(event.target)) return;
    const key = keyName(event);
    if ((dialog.value === "command" || dialog.value === "note") && event.key.length === 1 && !event.ctrlKey && !event.metaKey) {
      if (event.target instanceof HTMLButtonElement) return;
      event.preventDefault();
      typed.value += event.key;
      return;
    }
    if (session.bulk.value || session.refusals.value.length) return;
    if (dialog.value && !(dialog.value === "help" && session.keys.find(key)?.name === "help")) return;
    if (!session.reader.value || presses(event.target, key)) return;
    const command = session.keys.find(key);
    if (!command) return;
    event.preventDefault();
    keyPressed(command.name, event.timeStamp);
    void session.guard(async () => command.run(""));
  };
  /** A button that was clicked gives the focus back, so that Space accepts and does not click again. */
  const onClick = (event: MouseEvent): void => {
    const pressed = event.target instanceof Element ? event.target.closest("button, a, summary") : null;
    if (event.detail > 0 && pressed instanceof HTMLElement) pressed.blur();
  };
  addEventListener("keydown", onKey);
  addEventListener("click", onClick);
  return () => {
    removeEventListener("keydown", onKey);
    removeEventListener("click", onClick);
  };
}
