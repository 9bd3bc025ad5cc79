// Whole key maps, for hands that have learnt one elsewhere. Keys of one's own are changes to these.
export const KEY_MAPS: Record<string, Record<string, string>> = {
  /** The app's own. */
  nissl: {},
  /** One letter per quality; what had these letters moves to Shift. */
  quality: {
    "class-good": "g", "class-mua": "m", "class-noise": "n", "class-non-somatic": "s",
    merge: "Shift+g", workspace: "Shift+m", note: "Shift+n",
  },
  /** As in phy: Alt and a letter for the group, g merges, k splits, arrows move. */
  phy: {
    "class-good": "Alt+g", "class-mua": "Alt+m", "class-noise": "Alt+n", "class-non-somatic": "Alt+s",
    merge: "g", split: "k", undo: "Ctrl+z", redo: "Ctrl+Shift+z",
    next: "ArrowDown", back: "ArrowUp",
  },
  /** As scorers of sleep press them, for people and for rodents; arrows go from epoch to epoch. */
  sleep: {
    "class-W": "w", "class-N1": "1", "class-N2": "2", "class-N3": "3", "class-R": "r", "class-unknown": "q",
    "class-NREM": "n", "class-REM": "r",
    why: "Shift+w", note: "Alt+n",
    "next-span": "ArrowRight", "previous-span": "ArrowLeft", "page-forward": "ArrowDown", "page-back": "ArrowUp",
  },
};

/** Maps that desks of a task have without being asked for, under the reader's own keys. */
const OF_TASK: Record<string, string> = { sleep: "sleep" };

/** Keys that commands have at the desks of a task. */
export function taskKeys(task: string): Record<string, string> {
  return (Object.hasOwn(OF_TASK, task) && keyMap(OF_TASK[task]!)) || {};
}

/** The map of a name; undefined where there is none. */
export function keyMap(name: string): Record<string, string> | undefined {
  return Object.hasOwn(KEY_MAPS, name) ? { ...KEY_MAPS[name] } : undefined;
}
