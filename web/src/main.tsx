import { render } from "preact";

render(<main>nissl review</main>, document.getElementById("app")!);
