// A canvas that is painted again when its size, its theme or what it shows changes.
import { useEffect, useRef } from "preact/hooks";
import { theme } from "../../theme.ts";

export function Canvas({ paint, label }: { paint: (canvas: HTMLCanvasElement) => void; label: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const now = theme.value;
  useEffect(() => {
    const element = canvas.current!;
    const observer = new ResizeObserver(() => paint(element));
    observer.observe(element.parentElement!);
    paint(element);
    return () => observer.disconnect();
  }, [paint, now]);
  return <div class="box"><canvas ref={canvas} role="img" aria-label={label} /></div>;
}
