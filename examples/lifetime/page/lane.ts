// One lane of the timeline: words above a bar of states, and below it the timeouts, or the arrows of frames.

import type { Frame, History, Lane, Mark, Span, Timer, TimerName } from "./history.ts";
import { Labels, ROW, textWidth } from "./labels.ts";
import type { Scale } from "./scale.ts";
import { element, line, rect, text } from "./svg.ts";

const TIMER_TITLES: Readonly<Record<TimerName, string>> = {
  serverTimeout: "server timeout",
  clientTimeoutInterval: "clientTimeoutInterval",
  disconnectTimeout: "disconnectTimeout",
};
const BAR = 18;
const TIMER = 15;
const PADDING = 4;

export interface LaneLayout {
  readonly lane: Lane;
  readonly title: string;
  /** Of words. */
  readonly rows: number;
  /** Below the bar. Pixels. */
  readonly below: number;
}

export const LANES: readonly LaneLayout[] = [
  { lane: "client", title: "Client", rows: 3, below: TIMER },
  { lane: "transport", title: "Transport", rows: 3, below: 10 },
  // Two timers of the server never run at once, but one may begin where the other has just ended.
  { lane: "server", title: "Server", rows: 2, below: 2 * TIMER },
];

export function laneHeight({ rows, below }: LaneLayout, scale: Scale): number {
  return titleHeight(scale) + rows * ROW + BAR + below + 2 * PADDING;
}

function titleHeight({ isNarrow }: Scale): number {
  return isNarrow ? ROW : PADDING;
}

export function drawLane(group: SVGElement, history: History, layout: LaneLayout, scale: Scale, top: number): void {
  const { lane, title, rows } = layout;
  const words = top + titleHeight(scale);
  const bar = words + rows * ROW;
  const below = bar + BAR + 3;
  const place = scale.isNarrow ? { x: PADDING, y: top + 12 } : { x: 0, y: bar + 13 };
  group.append(text(title, { class: "title", ...place }));
  for (const span of history.spans) if (span.lane === lane) drawSpan(group, span, scale, bar);
  if (lane === "transport") for (const frame of history.frames) drawFrame(group, frame, scale, below);
  for (const timer of history.timers) if (timer.lane === lane) drawTimer(group, timer, scale, below);
  const marks = history.marks.filter((mark) => mark.lane === lane && scale.shows(mark.at));
  const labels = new Labels(scale.left, scale.right, rows);
  for (const mark of newFirst(marks)) {
    const y = labels.write(group, scale.x(mark.at), words, mark.text, "mark") ?? bar;
    group.append(line({ class: "mark", x1: scale.x(mark.at), x2: scale.x(mark.at), y1: y, y2: bar + BAR }));
  }
}

/** What is said again has to make do with the room that is left. */
function newFirst(marks: readonly Mark[]): readonly Mark[] {
  const isNew = (mark: Mark) => marks.find(({ text }) => text === mark.text) === mark;
  return [...marks.filter(isNew), ...marks.filter((mark) => !isNew(mark))];
}

function drawSpan(group: SVGElement, { from, to, tone, text: state }: Span, scale: Scale, y: number): void {
  const { x, width } = scale.clip(from, to ?? scale.window.now);
  // What lasted no time was no state, but two messages that overtook each other.
  if (width < 0.5) return;
  group.append(rect({ class: `span ${tone}`, x, y, width, height: BAR, rx: 3 }));
  if (textWidth(state) + 8 <= width) group.append(text(state, { class: `span ${tone}`, x: x + 5, y: y + 13 }));
}

/** Down to the server, up to the client: as the lanes lie. */
function drawFrame(group: SVGElement, { at, direction }: Frame, scale: Scale, y: number): void {
  if (!scale.shows(at)) return;
  const x = scale.x(at);
  const [base, tip] = direction === "sent" ? [y - 1, y + 4] : [y + 9, y + 4];
  const points = [`${x - 2.5},${base}`, `${x + 2.5},${base}`, `${x},${tip}`].join(" ");
  group.append(element("polygon", { class: "frame", points }));
}

/** How long it is, how much has run, and from when to when it fires. */
function drawTimer(group: SVGElement, timer: Timer, scale: Scale, top: number): void {
  const { now } = scale.window;
  const y = timer.name === "disconnectTimeout" ? top + TIMER : top;
  const shape = { y, height: TIMER - 3, rx: 2 };
  const ends = timer.from + timer.length;
  // One that was called off is over where that happened.
  const isWhole = timer.fired || (timer.to === undefined && now < ends + timer.slack);
  const whole = scale.clip(timer.from, isWhole ? ends : Math.min(ends, timer.to ?? ends));
  if (whole.width === 0) return;
  group.append(rect({ class: "timer", ...whole, ...shape }));
  const run = scale.clip(timer.from, Math.min(ends, timer.to ?? now));
  group.append(rect({ class: timer.fired ? "timer run fired" : "timer run", ...run, ...shape }));
  if (isWhole) drawDeadline(group, timer, scale, y);
  const title = `${TIMER_TITLES[timer.name]} ${timer.length / 1000} s`;
  const isRoomy = textWidth(title) + 8 <= whole.width;
  if (isRoomy) group.append(text(title, { class: "timer", x: whole.x + 4, y: y + 10 }));
}

function drawDeadline(group: SVGElement, { from, length, slack, fired }: Timer, scale: Scale, y: number): void {
  const at = from + length;
  const late = scale.clip(at, at + slack);
  if (late.width > 0) group.append(rect({ class: "timer slack", ...late, y, height: TIMER - 3 }));
  if (!scale.shows(at)) return;
  const x = scale.x(at);
  group.append(line({ class: fired ? "deadline fired" : "deadline", x1: x, x2: x, y1: y - 3, y2: y + TIMER - 2 }));
}
