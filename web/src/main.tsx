import { render } from "preact";
import { exposeLatencies } from "./core/latency.ts";
import { Session } from "./core/session.ts";
import "./style.css";
import { App } from "./ui/app.tsx";
import { shellCommands } from "./ui/commands.ts";
import { listenToKeys } from "./ui/keyboard.ts";

const session = new Session();
session.keys.add("Everywhere", shellCommands(session));
listenToKeys(session);
exposeLatencies({ waiting: () => session.outbox.value?.waiting.value ?? 0 });
render(<App session={session} />, document.getElementById("app")!);
void session.start();
