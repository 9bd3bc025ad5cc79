// Names of facts as people read them.

/** "trough_to_peak_ms" in ms is "trough to peak". */
export function plainName(name: string, unit: string): string {
  const bare = unit && name.toLowerCase().endsWith(`_${unit.toLowerCase()}`) ? name.slice(0, -unit.length - 1) : name;
  return bare.replaceAll("_", " ");
}
