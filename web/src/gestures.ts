// What a pointer does on a cloud of points: drag draws a lasso, Shift+drag (or the middle button)
// moves, the wheel zooms, a double click fits.

export interface Gestures {
  pan(dx: number, dy: number): void;
  zoom(factor: number, px: number, py: number): void;
  fit(): void;
  /** A path that was drawn, x0, y0, x1, y1, ... in pixels of the host; a single point is a click. */
  lasso(path: number[]): void;
}

const STEP_PX = 4;

/** Listens until the returned function is called; `canvas` lies over the host and shows the lasso. */
export function gestures(canvas: HTMLCanvasElement, host: HTMLElement, act: Gestures): () => void {
  const control = new AbortController();
  const at = { signal: control.signal };
  let path: number[] | undefined;
  let last: [number, number] | undefined;
  const brush = () => canvas.getContext("2d")!;
  const place = (event: MouseEvent): [number, number] => {
    const box = host.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    last = place(event);
    path = event.shiftKey || event.button === 1 ? undefined : [...last];
    event.preventDefault();
  }, at);
  canvas.addEventListener("pointermove", (event) => {
    if (!last) return;
    const [x, y] = place(event);
    if (!path) {
      act.pan(x - last[0], y - last[1]);
      last = [x, y];
    } else if (Math.hypot(x - last[0], y - last[1]) >= STEP_PX) {
      path.push(x, y);
      last = [x, y];
      drawPath(brush(), path, host);
    }
  }, at);
  canvas.addEventListener("pointerup", () => {
    if (path) {
      brush().clearRect(0, 0, host.clientWidth, host.clientHeight);
      act.lasso(path);
    }
    last = path = undefined;
  }, at);
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    act.zoom(Math.exp(-event.deltaY / 400), ...place(event));
  }, { ...at, passive: false });
  canvas.addEventListener("dblclick", () => act.fit(), at);
  return () => control.abort();
}

function drawPath(brush: CanvasRenderingContext2D, path: number[], host: HTMLElement): void {
  brush.clearRect(0, 0, host.clientWidth, host.clientHeight);
  brush.beginPath();
  for (let i = 0; i < path.length; i += 2) brush.lineTo(path[i]!, path[i + 1]!);
  brush.closePath();
  const colour = getComputedStyle(host).color;
  brush.strokeStyle = colour;
  brush.lineWidth = 1.5;
  brush.stroke();
  brush.globalAlpha = 0.1;
  brush.fillStyle = colour;
  brush.fill();
  brush.globalAlpha = 1;
}
