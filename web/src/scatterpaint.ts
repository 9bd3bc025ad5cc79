// How a point cloud gets onto a canvas: WebGL 2 through twgl.js, or plain 2-D where there is none.
import * as twgl from "twgl.js";
import type { Camera, Points } from "./scatter.ts";

export interface Painter {
  readonly webgl: boolean;
  load(points: Points): void;
  paint(camera: Camera, palette: string[], size: number, opacity: number): void;
  destroy(): void;
}

const VERTEX = `#version 300 es
in vec2 place;
in float group;
uniform vec2 scale;
uniform vec2 offset;
uniform float size;
uniform vec3 palette[16];
out vec3 colour;
void main() {
  gl_Position = group > 254.5 ? vec4(2.0, 2.0, 2.0, 1.0) : vec4(place * scale + offset, 0.0, 1.0);
  gl_PointSize = size;
  colour = palette[int(min(group, 15.0))];
}`;

const FRAGMENT = `#version 300 es
precision mediump float;
in vec3 colour;
uniform float opacity;
out vec4 pixel;
void main() {
  vec2 from = gl_PointCoord - 0.5;
  if (dot(from, from) > 0.25) discard;
  pixel = vec4(colour * opacity, opacity);
}`;

/** Middle and half-width: points are kept relative to it, so that float32 is exact enough. */
interface Frame {
  x: number;
  y: number;
}

export function webglPainter(canvas: HTMLCanvasElement, repaint: () => void): Painter | undefined {
  const context = canvas.getContext("webgl2", { premultipliedAlpha: true, antialias: false });
  if (!context) return undefined;
  const gl = context;
  let program = twgl.createProgramInfo(gl, [VERTEX, FRAGMENT]);
  if (!program) return undefined;
  let buffers: twgl.BufferInfo | undefined;
  let loaded: Points = { x: [], y: [] };
  let frame: Frame = { x: 0, y: 0 };

  function upload(points: Points): void {
    loaded = points;
    const n = points.x.length;
    frame = { x: finite(points.x[0]), y: finite(points.y[0]) };
    const place = new Float32Array(2 * n);
    for (let i = 0; i < n; i++) {
      place[2 * i] = points.x[i]! - frame.x;
      place[2 * i + 1] = points.y[i]! - frame.y;
    }
    const group = new Float32Array(n);
    if (points.group) group.set(points.group);
    release();
    if (n) {
      buffers = twgl.createBufferInfoFromArrays(gl, {
        place: { numComponents: 2, data: place },
        group: { numComponents: 1, data: group },
      });
    }
  }

  function release(): void {
    for (const attribute of Object.values(buffers?.attribs ?? {})) gl.deleteBuffer(attribute.buffer as WebGLBuffer);
    buffers = undefined;
  }

  const control = new AbortController();
  canvas.addEventListener("webglcontextlost", (event) => event.preventDefault(), { signal: control.signal });
  canvas.addEventListener("webglcontextrestored", () => {
    program = twgl.createProgramInfo(gl, [VERTEX, FRAGMENT]);
    buffers = undefined;
    upload(loaded);
    repaint();
  }, { signal: control.signal });

  return {
    webgl: true,
    load: upload,
    paint(camera, palette, size, opacity) {
      gl.viewport(0, 0, canvas.width, canvas.height);
      gl.clearColor(0, 0, 0, 0);
      gl.clear(gl.COLOR_BUFFER_BIT);
      if (!buffers) return;
      gl.enable(gl.BLEND);
      gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
      gl.useProgram(program.program);
      twgl.setBuffersAndAttributes(gl, program, buffers);
      twgl.setUniforms(program, {
        scale: camera.scale,
        offset: [camera.offset[0] + frame.x * camera.scale[0], camera.offset[1] + frame.y * camera.scale[1]],
        size: size * (devicePixelRatio || 1),
        opacity,
        palette: palette.slice(0, 16).flatMap(rgb),
      });
      twgl.drawBufferInfo(gl, buffers, gl.POINTS);
    },
    destroy() {
      control.abort();
      release();
      gl.getExtension("WEBGL_lose_context")?.loseContext();
    },
  };
}

const MOST_ON_CANVAS = 50_000;

/** Every k-th point when there are more than a 2-D canvas draws fluently; a lasso still takes all. */
export function canvasPainter(canvas: HTMLCanvasElement): Painter {
  let points: Points = { x: [], y: [] };
  return {
    webgl: false,
    load(given) {
      points = given;
    },
    paint(camera, palette, size, opacity) {
      const brush = canvas.getContext("2d");
      if (!brush) return;
      const side = size * (devicePixelRatio || 1);
      brush.clearRect(0, 0, canvas.width, canvas.height);
      brush.globalAlpha = opacity;
      const step = Math.max(1, Math.ceil(points.x.length / MOST_ON_CANVAS));
      palette.forEach((colour, group) => {
        brush.fillStyle = colour;
        for (let i = 0; i < points.x.length; i += step) {
          if ((points.group?.[i] ?? 0) !== group) continue;
          const x = ((points.x[i]! * camera.scale[0] + camera.offset[0] + 1) / 2) * canvas.width;
          const y = ((1 - points.y[i]! * camera.scale[1] - camera.offset[1]) / 2) * canvas.height;
          brush.fillRect(x - side / 2, y - side / 2, side, side);
        }
      });
    },
    destroy() {},
  };
}

const finite = (value: number | undefined): number => (Number.isFinite(value) ? value! : 0);

/** "#rrggbb" or any CSS colour as three numbers from 0 to 1. */
export function rgb(colour: string): [number, number, number] {
  const hex = /^#([0-9a-f]{6})$/i.exec(colour);
  if (hex) {
    const value = Number.parseInt(hex[1]!, 16);
    return [(value >> 16) / 255, ((value >> 8) & 255) / 255, (value & 255) / 255];
  }
  const brush = document.createElement("canvas").getContext("2d")!;
  brush.fillStyle = colour;
  brush.fillRect(0, 0, 1, 1);
  const [r, g, b] = brush.getImageData(0, 0, 1, 1).data;
  return [r! / 255, g! / 255, b! / 255];
}
