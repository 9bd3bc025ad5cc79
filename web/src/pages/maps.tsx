// Error maps: who predicts whom; click a cell: what was predicted and what came, and why it is lost.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import type { Session } from "../core/session.ts";
import { cssColour, theme } from "../theme.ts";
import { useJson, when } from "../ui/fetch.ts";
import { axes, Plot } from "../ui/plot.tsx";
import type { Cell, ErrorMap, Field } from "./mapdata.ts";
import { colourOf, FIELDS, isLight, moved, number, sentence } from "./mapdata.ts";

interface Kept { name: string; sources: number; time_s: number }
interface Pair { predicted: Array<number | null>; came: Array<number | null> }
interface Shown { axes: Pair[]; units: Array<Pair & { unit: number; skill: number | null }>; unit_skill: number[] }
interface Reason { name: string; loss: number; low: number; high: number; says: string; tested?: boolean }

export function Maps({ session }: { session: Session }) {
  const [answer] = useJson<{ maps: Kept[] }>(session, "errormaps");
  const [name, setName] = useState<string | null>(null);
  if (!answer) return <p class="empty muted">Reading the reports …</p>;
  const chosen = name ?? answer.maps[0]?.name;
  if (!chosen) return <div class="empty"><h1>No error map yet</h1><p>Make one: <code>nissl errormap {session.project.value?.name ?? "study/"} --windows trials</code></p></div>;
  return (
    <div class="page">
      <h1>Who predicts whom</h1>
      {answer.maps.length > 1 && <label class="row">Map <select value={chosen} onChange={(event) => setName(event.currentTarget.value)}>
        {answer.maps.map((one) => <option key={one.name} value={one.name}>{one.name} ({one.sources} sources, {when(one.time_s)})</option>)}
      </select></label>}
      <One key={chosen} session={session} name={chosen} />
    </div>
  );
}

function One({ session, name }: { session: Session; name: string }) {
  const [map] = useJson<ErrorMap>(session, `errormaps/${name}`);
  const [field, setField] = useState<Field>("relative");
  const [cell, setCell] = useState<Cell | null>(null);
  if (!map) return <p class="muted">…</p>;
  const choose = (next: Cell) => { setCell(next); session.announce(sentence(map, next)); };
  const told = FIELDS.find((one) => one.field === field)!;
  return (
    <>
      <div class="maps">
        <section class="card" aria-label="Heat-map">
          <div class="row" role="group" aria-label="What is shown">
            {FIELDS.map((one) => <button key={one.field} aria-pressed={one.field === field} title={one.says} onClick={() => setField(one.field)}>{one.title}</button>)}
          </div>
          <Heat map={map} field={field} cell={cell} choose={choose} />
          <p class="muted">{told.title}: {told.says}. Rows are read, columns predicted; × where the false discovery rate is above 5 %. Click, or use the arrow keys.</p>
        </section>
        <section class="card" aria-label="Embedding">
          <h2>Sources that predict each other lie close</h2>
          <Embedding map={map} cell={cell} choose={choose} />
          <p>{map.groups.says}</p>
          {map.explained.map((one) => <p key={one.by}>{one.says}</p>)}
          {Object.values(map.left_out).some((n) => n > 0) && <p class="muted">Called noise and left out: {Object.entries(map.left_out).filter(([, n]) => n > 0).map(([who, n]) => `${n} units of ${who}`).join(", ")}.</p>}
        </section>
      </div>
      {cell && <Chosen key={`${cell.row} ${cell.column}`} session={session} map={map} cell={cell} />}
    </>
  );
}

function Heat({ map, field, cell, choose }: { map: ErrorMap; field: Field; cell: Cell | null; choose: (cell: Cell) => void }) {
  const root = useRef<HTMLCanvasElement>(null);
  const now = theme.value;
  const n = map.order.length;
  const longest = Math.max(...map.sources.map((name) => clipped(name).length));
  const margin = Math.min(120, 16 + 7 * longest), side = Math.max(8, Math.min(44, Math.floor(520 / n)));
  const size = margin + n * side + 2;
  useEffect(() => {
    const canvas = root.current!, ratio = devicePixelRatio;
    canvas.width = canvas.height = size * ratio;
    const ctx = canvas.getContext("2d")!;
    ctx.scale(ratio, ratio);
    ctx.font = `${Math.min(12, Math.max(8, side - 1))}px system-ui`;
    ctx.textBaseline = "middle";
    map.order.forEach((i, row) => map.order.forEach((j, column) => {
      const x = margin + column * side, y = margin + row * side;
      const value = map.values[field][i]![j] ?? null, colour = colourOf(field, value);
      ctx.fillStyle = colour ?? cssColour("--line");
      ctx.fillRect(x, y, side - 1, side - 1);
      if (i !== j && (map.values.q[i]![j] ?? 1) > 0.05) cross(ctx, x, y, side - 1);
      if (side >= 34 && colour) label(ctx, number(value), isLight(colour), x + (side - 1) / 2, y + (side - 1) / 2);
    }));
    ctx.fillStyle = cssColour("--text");
    map.order.forEach((i, at) => {
      const name = clipped(map.sources[i]!);
      ctx.textAlign = "right";
      ctx.fillText(name, margin - 6, margin + at * side + side / 2);
      ctx.save();
      ctx.translate(margin + at * side + side / 2, margin - 6);
      ctx.rotate(-Math.PI / 2);
      ctx.textAlign = "left";
      ctx.fillText(name, 0, 0);
      ctx.restore();
    });
    if (cell) {
      ctx.strokeStyle = cssColour("--select");
      ctx.lineWidth = 3;
      ctx.strokeRect(margin + cell.column * side - 1, margin + cell.row * side - 1, side + 1, side + 1);
    }
  }, [map, field, cell, now, side, size]);
  useEffect(() => {
    const canvas = root.current!;
    canvas.style.width = canvas.style.height = `${size}px`;
  }, [size]);
  const at = (event: MouseEvent): Cell | null => {
    const row = Math.floor((event.offsetY - margin) / side), column = Math.floor((event.offsetX - margin) / side);
    return row >= 0 && row < n && column >= 0 && column < n ? { row, column } : null;
  };
  return (
    <canvas ref={root} class="heat" tabIndex={0} role="application" aria-roledescription="heat-map"
      aria-label={`Heat-map of ${n} sources. ${cell ? sentence(map, cell) : "Arrow keys choose a cell."}`}
      onClick={(event) => { const found = at(event); if (found) choose(found); }}
      onKeyDown={(event) => {
        const next = event.ctrlKey || event.altKey || event.metaKey ? null : moved(cell ?? { row: 0, column: 0 }, event.key, n);
        if (!next) return;
        event.preventDefault();
        event.stopPropagation();
        choose(cell ? next : { row: 0, column: 0 });
      }} />
  );
}

function cross(ctx: CanvasRenderingContext2D, x: number, y: number, side: number): void {
  const inset = side * 0.78;
  for (const [colour, width] of [["#000000", 2.4], ["#ffffff", 1.2]] as const) {
    ctx.strokeStyle = colour;
    ctx.lineWidth = width;
    ctx.beginPath();
    ctx.moveTo(x + inset, y + 2); ctx.lineTo(x + side - 2, y + side - inset);
    ctx.moveTo(x + side - 2, y + 2); ctx.lineTo(x + inset, y + side - inset);
    ctx.stroke();
  }
}

function label(ctx: CanvasRenderingContext2D, text: string, onLight: boolean, x: number, y: number): void {
  ctx.textAlign = "center";
  ctx.fillStyle = onLight ? "#16212b" : "#ffffff";
  ctx.fillText(text, x, y);
}

function clipped(name: string): string {
  return name.length > 17 ? `${name.slice(0, 16)}…` : name;
}

function Embedding({ map, cell, choose }: { map: ErrorMap; cell: Cell | null; choose: (cell: Cell) => void }) {
  const [xs, ys] = [0, 1].map((k) => map.embedding.map((place) => place[k as 0 | 1]));
  const span = Math.max(Math.max(...xs!) - Math.min(...xs!), Math.max(...ys!) - Math.min(...ys!), 1e-6);
  const x = (v: number) => 40 + (260 * (v - Math.min(...xs!))) / span, y = (v: number) => 280 - (240 * (v - Math.min(...ys!))) / span;
  const chosen = cell && [map.order[cell.row], map.order[cell.column]];
  return (
    <svg class="embedding" viewBox="0 0 400 310" role="img" aria-label={`Embedding of ${map.sources.length} sources. ${map.groups.says}`}>
      {map.sources.map((source, k) => (
        <g key={source} class={chosen?.includes(k) ? "chosen" : undefined} onClick={() => choose({ row: map.order.indexOf(k), column: map.order.indexOf(k) })}>
          <title>{source}</title>
          <circle cx={x(xs![k]!)} cy={y(ys![k]!)} r={6} fill={`var(--series-${(map.groups.of[k]! % 8) + 1})`} />
          {map.sources.length <= 25 && <text x={x(xs![k]!) + 9} y={y(ys![k]!) + 4}>{clipped(source)}</text>}
        </g>
      ))}
    </svg>
  );
}

function Chosen({ session, map, cell }: { session: Session; map: ErrorMap; cell: Cell }) {
  const read = map.order[cell.row]!, predicted = map.order[cell.column]!;
  const [shown] = useJson<Shown>(session, `errormaps/${map.name}/cell`, { read, predicted });
  const [why] = useJson<{ reasons: Reason[] }>(session, `errormaps/${map.name}/reasons`, { read, predicted });
  const v = map.values;
  const of = (field: keyof typeof v) => v[field][read]![predicted];
  return (
    <section class="chosen" aria-label="The cell">
      <h2>{read === predicted ? `${map.sources[read]} from its own other half` : `${map.sources[predicted]} predicted from ${map.sources[read]}`}</h2>
      <table class="numbers"><thead><tr>{["skill", "90 % interval", "by chance", "p", "q", "relative", "asymmetry", "units read", "predicted"].map((word) => <th key={word} class="num">{word}</th>)}</tr></thead>
        <tbody><tr><td class="num">{number(of("skill"))}</td><td class="num">[{number(of("low"))}, {number(of("high"))}]</td><td class="num">{number(of("null"))}</td><td class="num">{number(of("p"), 3)}</td><td class="num">{number(of("q"), 3)}</td><td class="num">{number(of("relative"))}</td><td class="num">{number(of("asymmetry"))}</td><td class="num">{map.units[read]}</td><td class="num">{map.units[predicted]}</td></tr></tbody></table>
      <div class="maps">
        <section class="card"><h3>Axes of {map.sources[predicted]}: <b class="came">what came</b>, <b class="said">what was predicted</b></h3>
          {shown ? shown.axes.map((pair, k) => <Courses key={k} map={map} pair={pair} label={`axis ${k + 1}`} />) : <p class="muted">…</p>}</section>
        <section class="card"><h3>Units that are predicted best and worst</h3>
          {shown ? shown.units.map((one) => <Courses key={one.unit} map={map} pair={one} label={`unit ${one.unit}, skill ${number(one.skill)}`} />) : <p class="muted">…</p>}</section>
        <section class="card" aria-busy={!why}><h3>Why it is lost</h3>
          {why ? <table class="reasons"><thead><tr><th>Reason</th><th class="num">Lost</th><th class="num">90 %</th><th>What was held against what</th></tr></thead><tbody>
            {why.reasons.map((one) => (
              <tr key={one.name}><td>{one.name}</td>
                {one.tested === false ? <><td class="num">–</td><td class="num">–</td></> : <><td class="num">{number(one.loss)}</td><td class="num">[{number(one.low)}, {number(one.high)}]</td></>}
                <td>{one.says}</td></tr>))}
          </tbody></table> : <p class="muted">Resampling …</p>}</section>
      </div>
    </section>
  );
}

function Courses({ map, pair, label }: { map: ErrorMap; pair: Pair; label: string }) {
  const n = pair.came.length;
  const data = useMemo<uPlot.AlignedData>(() => [pair.came.map((_, k) => k), pair.came, pair.predicted], [pair]);
  const options = useMemo(() => () => {
    const [x, y] = axes("", "") as [uPlot.Axis, uPlot.Axis];
    const named = n === map.conditions.length * map.steps;
    const every = Math.ceil(map.conditions.length / 4); // so many names fit
    const shown = map.conditions.map((_, k) => k).filter((k) => k % every === 0);
    return {
      legend: { show: false }, cursor: { show: false }, scales: { x: { time: false } },
      axes: [{ ...x, label: undefined, splits: named ? () => shown.map((k) => (k + 0.5) * map.steps) : undefined,
        values: named ? () => shown.map((k) => map.conditions[k]!.slice(0, 12)) : undefined } as uPlot.Axis, { ...y, label: undefined }],
      series: [{}, { stroke: cssColour("--text"), width: 1.5, points: { show: false } }, { stroke: cssColour("--series-2"), width: 1.5, dash: [5, 3], points: { show: false } }],
    };
  }, [map, n]);
  return <figure><figcaption class="muted">{label}</figcaption><Plot options={options} data={data} label={`${label}: predicted (dashed) and what came, by condition`} height={110} /></figure>;
}
