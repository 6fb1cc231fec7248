// The timelines as SVG: for each client three lanes on one axis of time. Nothing here is styled; timeline.css does that.

import type { History } from "./history.ts";
import { Labels, ROW, textWidth } from "./labels.ts";
import { drawLane, LANES, laneHeight } from "./lane.ts";
import { Scale, type Window } from "./scale.ts";
import { element, line, rect, text } from "./svg.ts";

const FAULT_ROWS = 2;
const BETWEEN_LANES = 6;
const BETWEEN_CLIENTS = 14;
const AXIS = 22;
const EMPTY = 60;
/** Seconds from one line of the grid to the next, and how far apart they lie at least. Pixels. */
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300];
const STEP_WIDTH = 46;

/** Draws all of it anew, as wide as given. */
export function drawTimeline(svg: SVGSVGElement, histories: readonly History[], window: Window, width: number): void {
  const scale = new Scale(window, width);
  const clients = element("g");
  let y = 0;
  for (const history of histories) y = drawClient(clients, history, scale, y) + BETWEEN_CLIENTS;
  const bottom = Math.max(y, EMPTY);
  const height = bottom + AXIS;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("width", String(width));
  svg.setAttribute("height", String(height));
  const paper = rect({ class: "paper", x: 0, y: 0, width, height });
  svg.replaceChildren(paper, drawAxis(scale, bottom), clients, ...drawNow(scale, bottom));
}

function drawAxis(scale: Scale, bottom: number): SVGElement {
  const group = element("g", { class: "axis" });
  const { from, to, origin } = scale.window;
  const pixelsPerSecond = (scale.right - scale.left) / ((to - from) / 1000);
  const step = STEPS.find((each) => each * pixelsPerSecond >= STEP_WIDTH) ?? 600;
  const first = Math.ceil((from - origin) / 1000 / step) * step;
  for (let second = first; origin + second * 1000 <= to; second += step) {
    const x = scale.x(origin + second * 1000);
    const label = `${second} s`;
    group.append(line({ x1: x, x2: x, y1: 0, y2: bottom }));
    const anchor = x <= scale.left ? "start" : "middle";
    const fits = x + textWidth(label) / 2 < scale.right;
    if (fits) group.append(text(label, { x, y: bottom + 15, "text-anchor": anchor }));
  }
  return group;
}

function drawNow(scale: Scale, bottom: number): readonly SVGElement[] {
  const { now } = scale.window;
  return scale.shows(now) ? [line({ class: "now", x1: scale.x(now), x2: scale.x(now), y1: 0, y2: bottom })] : [];
}

/** Returns where it ends. */
function drawClient(group: SVGElement, history: History, scale: Scale, top: number): number {
  const { left, right, isNarrow } = scale;
  const [papers, faultLines, front] = [element("g"), element("g"), element("g")];
  front.append(text(history.title, { class: "heading", x: 0, y: top + 12 }));
  let y = top + FAULT_ROWS * ROW + 4;
  for (const lane of LANES) {
    const height = laneHeight(lane, scale);
    papers.append(rect({ class: "lane", x: left, y, width: right - left, height }));
    drawLane(front, history, lane, scale, y);
    y += height + BETWEEN_LANES;
  }
  const labels = new Labels(isNarrow ? textWidth(history.title) + 12 : left, right, FAULT_ROWS);
  for (const { lane, at, text: fault } of history.marks) {
    if (lane !== "fault" || !scale.shows(at)) continue;
    labels.write(front, scale.x(at), top, fault, "fault");
    faultLines.append(line({ class: "fault", x1: scale.x(at), x2: scale.x(at), y1: top + 4, y2: y - BETWEEN_LANES }));
  }
  // Words are in front of everything.
  group.append(papers, faultLines, front);
  return y;
}
