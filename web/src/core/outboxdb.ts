// The outbox's keep in IndexedDB: one row per batch, under project, reader and order.
import type { Batch, Keep } from "./outbox.ts";

const NAME = "nissl-review";
const STORE = "decisions";

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function finished(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = transaction.onerror = () => reject(transaction.error);
  });
}

/** Opens at the first use; a browser without IndexedDB fails every call, which the outbox says. */
export function indexedDbKeep(): Keep & { reader(project: string): Promise<string> } {
  let opened: Promise<IDBDatabase> | undefined;
  const database = (): Promise<IDBDatabase> => {
    opened ??= new Promise((resolve, reject) => {
      const request = indexedDB.open(NAME, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: ["place", "order"] });
      request.onsuccess = () => resolve(request.result);
      request.onerror = request.onblocked = () => reject(request.error ?? new Error("blocked"));
    });
    return opened;
  };
  const write = async (change: (store: IDBObjectStore) => void): Promise<void> => {
    const transaction = (await database()).transaction(STORE, "readwrite", { durability: "strict" });
    change(transaction.objectStore(STORE));
    await finished(transaction);
  };
  return {
    async load(place) {
      const store = (await database()).transaction(STORE).objectStore(STORE);
      const range = IDBKeyRange.bound([place, -Infinity], [place, Infinity]);
      return (await done(store.getAll(range))) as Batch[];
    },
    /** Whose decisions about a project wait here; "" where none do. */
    async reader(project) {
      const store = (await database()).transaction(STORE).objectStore(STORE);
      const range = IDBKeyRange.bound([`${project}|`], [`${project}|\uffff`]);
      const [key] = await done(store.getAllKeys(range, 1));
      return key ? String((key as string[])[0]).slice(project.length + 1) : "";
    },
    put: (batch) => write((store) => store.put(batch)),
    remove: (batch) => write((store) => store.delete([batch.place, batch.order])),
  };
}
