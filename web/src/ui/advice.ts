// Whether a review may stop, in words.
export interface Advice {
  task: string;
  stop: boolean;
  sentence: string;
  /** How strongly the learned policy would stop, 0 to 1. */
  learned: number | null;
}

export interface AdviceAnswer { advice: Advice | null }

export function adviceText({ sentence, learned }: Advice): string {
  if (learned === null) return sentence;
  return `${sentence} The learned policy would ${learned > 0.5 ? "stop" : "go on"}.`;
}
