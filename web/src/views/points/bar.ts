// The row above the panes: what is shown of the volumes and of the neurons.
import { button, element } from "../units/dom.ts";
import type { Colouring } from "./colours.ts";
import { COLOURINGS } from "./colours.ts";
import type { Shown } from "./picture.ts";

export interface BarActs {
  put(): void;
  flat(): void;
  layer(name: string): void;
  channels(shown: Shown): void;
  gain(channel: 0 | 1, value: number): void;
  colour(by: Colouring): void;
  names(): void;
  trail(): void;
  right(): void;
  worst(): void;
  next(): void;
}

export interface BarState {
  puts: boolean;
  flat: boolean;
  layer: string;
  shown: Shown;
  colouring: Colouring;
  names: boolean;
  trail: boolean;
}

const VOLUME = "volume";

export class Bar {
  readonly root = element("div", { class: "pt-bar", role: "toolbar", "aria-label": "Volumes and neurons" });
  private readonly put: HTMLButtonElement;
  private readonly flat: HTMLButtonElement;
  private readonly names: HTMLButtonElement;
  private readonly trail: HTMLButtonElement;
  private readonly layer = element("select", { "aria-label": "Picture" });
  private readonly channels = element("select", { "aria-label": "Channels" });
  private readonly colour = element("select", { "aria-label": "Colour of neurons" });
  private readonly keyed: Array<[command: string, key: HTMLElement]> = [];

  constructor(names: readonly string[], layers: readonly string[], acts: BarActs) {
    const keyedButton = (text: string, help: string, run: () => void, command: string) => {
      const made = button(text, help, run), key = element("kbd", {});
      made.append(key);
      this.keyed.push([command, key]);
      return made;
    };
    this.put = keyedButton("Put", "A click puts the neuron there: moved, or added where it is missing", acts.put, "put");
    this.flat = keyedButton("Projections", "Brightest along each axis, instead of planes", acts.flat, "projections");
    this.names = keyedButton("Names", "Write the name of every neuron", acts.names, "names");
    this.trail = keyedButton("Trail", "Where the neuron was before, and is after", acts.trail, "trail");
    const gains = names.map((name, k) => {
      const range = element("input", { type: "range", min: "-100", max: "100", value: "0", "aria-label": `Brightness of ${name}`, title: `Brightness of ${name}` });
      range.addEventListener("input", () => acts.gain(k as 0 | 1, 4 ** (Number(range.value) / 100)));
      return element("label", { class: names.length > 1 ? `pt-channel pt-channel-${k}` : "pt-channel" }, name, " ", range);
    });
    options(this.channels, ["both", "0", "1"], (value) => (value === "both" ? "both channels" : names[Number(value)] ?? value));
    options(this.layer, [VOLUME, ...layers], (value) => (value === VOLUME ? "the recording" : value));
    options(this.colour, COLOURINGS, (value) => value);
    this.channels.addEventListener("change", () => acts.channels(this.channels.value === "both" ? "both" : (Number(this.channels.value) as 0 | 1)));
    this.layer.addEventListener("change", () => acts.layer(this.layer.value === VOLUME ? "" : this.layer.value));
    this.colour.addEventListener("change", () => acts.colour(this.colour.value as Colouring));
    const labelled = (text: string, field: HTMLElement) => element("label", {}, text, " ", field);
    this.root.append(
      element("span", { class: "pt-group", role: "group", "aria-label": "Decide" },
        keyedButton("Volume is right", "All points of this volume are right; on to the next that is worst", acts.right, "volume-right"),
        keyedButton("Worst", "The volume with most points expected to be wrong", acts.worst, "worst"),
        keyedButton("Annotate next", "The volume whose annotation is expected to put most neurons right, in it and in volumes like it", acts.next, "annotate-next"), this.put),
      element("span", { class: "pt-group", role: "group", "aria-label": "Show" }, this.flat, this.names, this.trail),
      labelled("Colour", this.colour),
      ...(layers.length ? [labelled("Picture", this.layer)] : []),
      ...(names.length > 1 ? [this.channels] : []), ...gains,
    );
  }

  /** Keys as they are bound now; the view's own are bound after it is made. */
  tellKeys(keyOf: (command: string) => string | undefined): void {
    for (const [command, key] of this.keyed) key.textContent = keyOf(command) ?? "";
  }

  show(state: BarState): void {
    const pressed = (made: HTMLButtonElement, on: boolean) => made.setAttribute("aria-pressed", String(on));
    pressed(this.put, state.puts);
    pressed(this.flat, state.flat);
    pressed(this.names, state.names);
    pressed(this.trail, state.trail);
    this.layer.value = state.layer || VOLUME;
    this.channels.value = String(state.shown);
    this.colour.value = state.colouring;
  }
}

function options(select: HTMLSelectElement, values: readonly string[], say: (value: string) => string): void {
  select.replaceChildren(...values.map((value) => element("option", { value }, say(value))));
}
