// Requests to the server: JSON, raw arrays, Arrow tables. Every failure is an ApiError.
import type { Api, Columns, NdArray, Query, TypedArray } from "./view.ts";
import { ApiError } from "./view.ts";

const OFFLINE = 0;

export function isOffline(error: unknown): boolean {
  return error instanceof ApiError && error.status === OFFLINE;
}

/** True when asking again later may help: no connection, the database away, a full disk. */
export function isTransient(error: unknown): boolean {
  return error instanceof ApiError && (error.status === OFFLINE || error.status >= 500 || error.status === 429);
}

async function failure(response: Response): Promise<ApiError> {
  const fallback = new ApiError(
    response.status, "an answer of the server", `status ${response.status}`, "Look at the server's terminal.",
  );
  if (response.status === 401 || response.status === 403) {
    return new ApiError(response.status, "the token of this review", "none or another one",
      "Open the address that `nissl review` printed.");
  }
  try {
    const { error, detail } = await response.json();
    if (error) return new ApiError(response.status, error.expected, error.got, error.remedy);
    if (detail) return new ApiError(response.status, "a valid request", JSON.stringify(detail), "Reload the page.");
  } catch {
    return fallback;
  }
  return fallback;
}

async function request(url: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { credentials: "same-origin", ...init });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(OFFLINE, "a connection to the server", String(error), "It is tried again by itself.");
  }
  if (!response.ok) throw await failure(response);
  return response;
}

export function urlOf(path: string, reader: string, query: Query = {}): string {
  const search = new URLSearchParams();
  if (reader) search.set("reader", reader);
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined) search.set(name, String(value));
  }
  const text = search.toString();
  return `api/${path}${text ? `?${text}` : ""}`;
}

const DTYPES: Record<string, new (buffer: ArrayBuffer) => TypedArray> = {
  float32: Float32Array, float64: Float64Array, int8: Int8Array, uint8: Uint8Array, bool: Uint8Array,
  int16: Int16Array, uint16: Uint16Array, int32: Int32Array, uint32: Uint32Array, int64: BigInt64Array,
};

export function decodeArray(buffer: ArrayBuffer, headers: Headers): NdArray {
  const dtype = headers.get("X-Nissl-Dtype") ?? "float32";
  const shape = (headers.get("X-Nissl-Shape") ?? "").split(",").filter(Boolean).map(Number);
  const type = DTYPES[dtype];
  if (!type) throw new ApiError(200, `an array of ${Object.keys(DTYPES).join(", ")}`, dtype, "Reload the page.");
  const meta = JSON.parse(decodeURIComponent(headers.get("X-Nissl-Meta") ?? "%7B%7D")) as Record<string, unknown>;
  return { data: new type(buffer), shape, dtype, meta };
}

export async function decodeTable(buffer: ArrayBuffer): Promise<Columns> {
  const { tableFromIPC } = await import("apache-arrow");
  const table = tableFromIPC(new Uint8Array(buffer));
  const names = table.schema.fields.map((field) => field.name);
  const numeric = new Map<string, ArrayLike<number>>();
  const plain = new Map<string, ArrayLike<unknown>>();
  const child = (name: string) => {
    const vector = table.getChild(name);
    if (!vector) throw new ApiError(200, `a column of ${names.join(", ")}`, name, "Reload the page.");
    return vector;
  };
  return {
    n: table.numRows,
    names,
    has: (name) => names.includes(name),
    numbers(name) {
      let column = numeric.get(name);
      if (!column) {
        const vector = child(name);
        const raw = vector.nullCount === 0 ? (vector.toArray() as ArrayLike<unknown>) : undefined;
        column = raw instanceof Float64Array || raw instanceof Float32Array || raw instanceof Int32Array
          ? raw
          : Float64Array.from({ length: vector.length }, (_, i) => {
              const value = vector.get(i);
              return value === null || value === undefined ? Number.NaN : Number(value);
            });
        numeric.set(name, column);
      }
      return column;
    },
    values(name) {
      let column = plain.get(name);
      if (!column) {
        const vector = child(name);
        column = Array.from({ length: vector.length }, (_, i) => plainValue(vector.get(i)));
        plain.set(name, column);
      }
      return column;
    },
  };
}

function plainValue(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (value && typeof value === "object" && Symbol.iterator in value) {
    return Array.from(value as Iterable<unknown>, plainValue);
  }
  return value;
}

/** `blind` hides the model's answer: the server sends none, whatever a view asks for. */
export function createApi(reader: () => string, blind: () => boolean): Api {
  const get = (path: string, query: Query | undefined, signal: AbortSignal | undefined) =>
    request(urlOf(path, reader(), { ...(blind() ? { blind: true } : {}), ...query }), signal ? { signal } : {});
  const answer = (method: string, path: string, body: unknown, signal?: AbortSignal): Promise<Response> => {
    const init: RequestInit = {
      method,
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      ...(signal ? { signal } : {}),
    };
    return request(urlOf(path, reader()), init);
  };
  const send = async <T>(method: string, path: string, body: unknown, signal?: AbortSignal): Promise<T> =>
    (await (await answer(method, path, body, signal)).json()) as T;
  return {
    json: async <T>(path: string, query?: Query, signal?: AbortSignal) =>
      (await (await get(path, query, signal)).json()) as T,
    post: (path, body, signal) => send("POST", path, body, signal),
    postArray: async (path, body) => {
      const response = await answer("POST", path, body);
      return decodeArray(await response.arrayBuffer(), response.headers);
    },
    put: (path, body) => send("PUT", path, body),
    array: async (path, query, signal) => {
      const response = await get(path, query, signal);
      return decodeArray(await response.arrayBuffer(), response.headers);
    },
    table: async (path, query, signal) => decodeTable(await (await get(path, query, signal)).arrayBuffer()),
  };
}
