import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError } from "../view.ts";
import type { Batch, Keep } from "./outbox.ts";
import { Outbox } from "./outbox.ts";
import type { Acknowledgement, EditJson } from "./wire.ts";

class MemoryKeep implements Keep {
  readonly batches = new Map<string, Batch>();
  readonly #key = (batch: Batch) => `${batch.place} ${batch.order}`;
  async load(place: string) { return [...this.batches.values()].filter((batch) => batch.place === place); }
  async put(batch: Batch) { this.batches.set(this.#key(batch), structuredClone(batch)); }
  async remove(batch: Batch) { this.batches.delete(this.#key(batch)); }
}

/** A server that fails as told and, like the journal, takes a uuid once. */
class Server {
  readonly journal: string[] = [];
  next: Array<ApiError | "lost answer"> = [];
  inFlight = 0;
  post = async (body: unknown): Promise<Acknowledgement> => {
    assert.equal(this.inFlight, 0, "one batch at a time, else the order is lost");
    this.inFlight += 1;
    await new Promise((resolve) => setTimeout(resolve, 1));
    this.inFlight -= 1;
    const fault = this.next.shift();
    if (fault instanceof ApiError) throw fault;
    for (const { uuid } of (body as { edits: EditJson[] }).edits) if (!this.journal.includes(uuid)) this.journal.push(uuid);
    if (fault === "lost answer") throw offline();
    return { acknowledged: [], position: this.journal.length };
  };
}

const offline = () => new ApiError(0, "a connection", "none", "");
const refused = () => new ApiError(409, "an item", "none", "");
const edit = (uuid: string) => ({ uuid }) as EditJson;

async function until(happened: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !happened(); i++) await new Promise((resolve) => setTimeout(resolve, 2));
  assert.ok(happened());
}

function made(server: Server, keep: Keep) {
  const refusals: string[] = [];
  const outbox = new Outbox(server.post, keep, "project|Ada", {
    acknowledged: () => undefined,
    refused: (batch) => refusals.push(...batch.edits.map((one) => one.uuid)),
  });
  return { outbox, refusals };
}

test("decisions arrive in order, once each, through lost requests and lost answers", async () => {
  const server = new Server(), keep = new MemoryKeep();
  const { outbox } = made(server, keep);
  server.next = [offline(), "lost answer"];
  for (const name of ["a", "b", "c"]) outbox.add([edit(name)], null);
  assert.equal(outbox.waiting.value, 3);
  await until(() => outbox.trouble.value !== null);
  outbox.wake();
  await until(() => server.journal.length > 0 && server.inFlight === 0);
  outbox.wake();
  await until(() => outbox.waiting.value === 0);
  assert.deepEqual(server.journal, ["a", "b", "c"]);
  assert.equal(outbox.trouble.value, null);
  await until(() => keep.batches.size === 0);
});

test("what was not acknowledged survives the page and goes out before what comes after", async () => {
  const server = new Server(), keep = new MemoryKeep();
  const first = made(server, keep).outbox;
  server.next = Array.from({ length: 50 }, offline);
  first.add([edit("a")], null);
  first.add([edit("b")], "question");
  await until(() => keep.batches.size === 2 && first.trouble.value !== null);
  first.close();
  server.next = [];
  const second = made(server, keep).outbox;
  const left = await second.open();
  assert.deepEqual(left.map((batch) => batch.edits[0]!.uuid), ["a", "b"]);
  assert.equal(left[1]!.question, "question");
  second.add([edit("c")], null);
  await until(() => second.waiting.value === 0);
  assert.deepEqual(server.journal, ["a", "b", "c"]);
});

test("another reader's decisions are left alone", async () => {
  const server = new Server(), keep = new MemoryKeep();
  await keep.put({ order: 1, place: "project|Eve", edits: [edit("x")], question: null });
  const { outbox } = made(server, keep);
  assert.deepEqual(await outbox.open(), []);
  assert.equal(keep.batches.size, 1);
});

test("a refused decision is told and does not hold up the next", async () => {
  const server = new Server(), keep = new MemoryKeep();
  const { outbox, refusals } = made(server, keep);
  server.next = [refused()];
  outbox.add([edit("a")], null);
  outbox.add([edit("b")], null);
  await until(() => outbox.waiting.value === 0);
  assert.deepEqual(refusals, ["a"]);
  assert.deepEqual(server.journal, ["b"]);
});

for (const status of [507, 503, 401]) {
  test(`status ${status} loses nothing: it waits`, async () => {
    const server = new Server(), keep = new MemoryKeep();
    const { outbox, refusals } = made(server, keep);
    server.next = [new ApiError(status, "", "", "")];
    outbox.add([edit("a")], null);
    await until(() => outbox.trouble.value?.status === status);
    assert.deepEqual(refusals, []);
    assert.equal(outbox.waiting.value, 1);
    outbox.wake();
    await until(() => outbox.waiting.value === 0);
    assert.deepEqual(server.journal, ["a"]);
  });
}

test("a browser that keeps nothing says so and still sends", async () => {
  const server = new Server();
  const full = { load: async () => [], put: () => Promise.reject(new Error("full")), remove: async () => undefined };
  const { outbox } = made(server, full);
  outbox.add([edit("a")], null);
  await until(() => outbox.waiting.value === 0 && !outbox.kept.value);
  assert.deepEqual(server.journal, ["a"]);
});
