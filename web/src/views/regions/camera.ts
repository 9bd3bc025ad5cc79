// Where the field lies on the screen; two panes share one camera, so that they move together.

export interface Size {
  width: number;
  height: number;
}

export class Camera {
  scale = 1;
  x = 0;
  y = 0;
  private readonly heard: Array<() => void> = [];
  private touched = false;

  onMove(run: () => void): void {
    this.heard.push(run);
  }

  /** Shows the whole field, unless the reader has moved it; `again` even then. */
  fit(field: Size, pane: Size, again = false): void {
    if (this.touched && !again) return;
    this.touched = false;
    this.scale = 0.98 * Math.min(pane.width / field.width, pane.height / field.height);
    [this.x, this.y] = [field.width / 2, field.height / 2];
    this.moved();
  }

  toScreen(x: number, y: number, pane: Size): [number, number] {
    return [pane.width / 2 + (x - this.x) * this.scale, pane.height / 2 + (y - this.y) * this.scale];
  }

  toField(px: number, py: number, pane: Size): [number, number] {
    return [this.x + (px - pane.width / 2) / this.scale, this.y + (py - pane.height / 2) / this.scale];
  }

  pan(dx: number, dy: number): void {
    this.touched = true;
    this.x -= dx / this.scale;
    this.y -= dy / this.scale;
    this.moved();
  }

  /** The place under the pointer stays under it. */
  zoom(factor: number, px: number, py: number, pane: Size): void {
    const [x, y] = this.toField(px, py, pane);
    this.touched = true;
    this.scale = Math.min(80, Math.max(0.05, this.scale * factor));
    const [nowX, nowY] = this.toField(px, py, pane);
    this.x += x - nowX;
    this.y += y - nowY;
    this.moved();
  }

  /** Brings a place into the pane when it lies outside, or near its border. */
  reveal(x: number, y: number, pane: Size): void {
    const [px, py] = this.toScreen(x, y, pane);
    const margin = 4;
    if (px > margin && py > margin && px < pane.width - margin && py < pane.height - margin) return;
    this.touched = true;
    [this.x, this.y] = [x, y];
    this.moved();
  }

  private moved(): void {
    for (const run of this.heard) run();
  }
}
