// Thousands of outlines on one canvas: WebGL 2 where there is one, else a 2-D canvas.
import type { Camera, Size } from "./camera.ts";
import type { Rgb } from "./colours.ts";

export interface Drawn {
  pieces: Float32Array;
  colour: Rgb;
}

export interface ContourPainter {
  readonly webgl: boolean;
  load(outlines: readonly Drawn[]): void;
  paint(camera: Camera, pane: Size, width: number, opacity: number): void;
  destroy(): void;
}

const VERTEX = `#version 300 es
in vec2 corner;
in vec4 piece;
in vec3 colour;
uniform vec4 view;
uniform vec2 pane;
uniform float thick;
out vec3 shade;
void main() {
  vec2 a = (piece.xy - view.xy) * view.z, b = (piece.zw - view.xy) * view.z;
  vec2 along = normalize(b - a + vec2(1e-6, 0.0));
  vec2 across = vec2(-along.y, along.x) * thick;
  vec2 at = mix(a - along * thick * 0.5, b + along * thick * 0.5, corner.x) + across * (corner.y - 0.5);
  gl_Position = vec4(at.x * 2.0 / pane.x, -at.y * 2.0 / pane.y, 0.0, 1.0);
  shade = colour;
}`;

const FRAGMENT = `#version 300 es
precision mediump float;
in vec3 shade;
uniform float opacity;
out vec4 pixel;
void main() { pixel = vec4(shade * opacity, opacity); }`;

export function contourPainter(canvas: HTMLCanvasElement, repaint: () => void): ContourPainter {
  return webgl(canvas, repaint) ?? plain(canvas);
}

function webgl(canvas: HTMLCanvasElement, repaint: () => void): ContourPainter | undefined {
  const context = canvas.getContext("webgl2", { premultipliedAlpha: true, antialias: true });
  if (!context) return undefined;
  const gl = context;
  let loaded: readonly Drawn[] = [];
  let n = 0;
  let made = make(gl);
  if (!made) return undefined;
  const control = new AbortController();
  canvas.addEventListener("webglcontextlost", (event) => event.preventDefault(), { signal: control.signal });
  canvas.addEventListener("webglcontextrestored", () => { made = make(gl); load(loaded); repaint(); }, { signal: control.signal });

  function load(outlines: readonly Drawn[]): void {
    loaded = outlines;
    if (!made) return;
    n = outlines.reduce((sum, one) => sum + one.pieces.length / 4, 0);
    const pieces = new Float32Array(4 * n), colours = new Uint8Array(3 * n);
    let at = 0;
    for (const { pieces: own, colour } of outlines) {
      pieces.set(own, 4 * at);
      for (let i = 0; i < own.length / 4; i++, at++) colours.set(colour, 3 * at);
    }
    fill(gl, made.pieces, pieces);
    fill(gl, made.colours, colours);
  }

  return {
    webgl: true,
    load,
    paint(camera, pane, width, opacity) {
      gl.viewport(0, 0, canvas.width, canvas.height);
      gl.clearColor(0, 0, 0, 0);
      gl.clear(gl.COLOR_BUFFER_BIT);
      if (!made || !n) return;
      gl.enable(gl.BLEND);
      gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
      gl.useProgram(made.program);
      gl.bindVertexArray(made.layout);
      const { place } = made;
      gl.uniform4f(place("view"), camera.x, camera.y, camera.scale, 0);
      gl.uniform2f(place("pane"), pane.width, pane.height);
      gl.uniform1f(place("thick"), width);
      gl.uniform1f(place("opacity"), opacity);
      gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, n);
    },
    destroy() {
      control.abort();
      gl.getExtension("WEBGL_lose_context")?.loseContext();
    },
  };
}

function fill(gl: WebGL2RenderingContext, buffer: WebGLBuffer, values: BufferSource): void {
  gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
  gl.bufferData(gl.ARRAY_BUFFER, values, gl.DYNAMIC_DRAW);
}

function make(gl: WebGL2RenderingContext) {
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]] as const) {
    const shader = gl.createShader(kind);
    if (!shader) return undefined;
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) return undefined;
  const layout = gl.createVertexArray();
  gl.bindVertexArray(layout);
  const attribute = (name: string, size: number, type: number, whole: boolean, each: number): WebGLBuffer => {
    const buffer = gl.createBuffer();
    const place = gl.getAttribLocation(program, name);
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, size, type, whole, 0, 0);
    gl.vertexAttribDivisor(place, each);
    return buffer;
  };
  const corners = attribute("corner", 2, gl.FLOAT, false, 0);
  fill(gl, corners, Float32Array.from([0, 0, 0, 1, 1, 0, 1, 1]));
  const pieces = attribute("piece", 4, gl.FLOAT, false, 1);
  const colours = attribute("colour", 3, gl.UNSIGNED_BYTE, true, 1);
  return { program, layout, pieces, colours, place: (name: string) => gl.getUniformLocation(program, name) };
}

function plain(canvas: HTMLCanvasElement): ContourPainter {
  let groups = new Map<string, Float32Array[]>();
  return {
    webgl: false,
    load(outlines) {
      groups = new Map();
      for (const { pieces, colour } of outlines) {
        const key = `rgb(${colour.join(" ")})`;
        const group = groups.get(key);
        if (group) group.push(pieces);
        else groups.set(key, [pieces]);
      }
    },
    paint(camera, pane, width, opacity) {
      const brush = canvas.getContext("2d");
      if (!brush) return;
      const ratio = canvas.width / pane.width;
      brush.setTransform(1, 0, 0, 1, 0, 0);
      brush.clearRect(0, 0, canvas.width, canvas.height);
      brush.setTransform(ratio, 0, 0, ratio, 0, 0);
      brush.globalAlpha = opacity;
      const { scale } = camera;
      const [left, top] = [pane.width / 2 - camera.x * scale, pane.height / 2 - camera.y * scale];
      const half = width / 2;
      for (const [colour, outlines] of groups) {
        brush.fillStyle = colour;
        for (const pieces of outlines) {
          for (let i = 0; i < pieces.length; i += 4) { // pieces run along the axes: thin rectangles
            const x = pieces[i]! * scale + left, y = pieces[i + 1]! * scale + top;
            const w = (pieces[i + 2]! - pieces[i]!) * scale, h = (pieces[i + 3]! - pieces[i + 1]!) * scale;
            if (x + w < -width || y + h < -width || x > pane.width + width || y > pane.height + width) continue;
            brush.fillRect(x - half, y - half, w + width, h + width);
          }
        }
      }
    },
    destroy() {},
  };
}
