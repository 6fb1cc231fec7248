// Dragging with mouse, pen or finger. The place is told as shares of the area, 0 to 1.

type Place = readonly [x: number, y: number];

/**
 * Shows every place at once, and never tells one before the last is done with: a slow network makes fewer messages, not
 * a queue of old ones. The place where it was let go is always told.
 */
export function drag(
  element: HTMLElement,
  area: HTMLElement,
  show: (...place: Place) => void,
  tell: (...place: Place) => Promise<void>,
): void {
  let grip: { readonly x: number; readonly y: number } | undefined;
  let next: Place | undefined;
  let isTelling = false;

  element.addEventListener("pointerdown", (event) => {
    if (event.target !== element) return;
    const { left, top } = element.getBoundingClientRect();
    grip = { x: event.clientX - left, y: event.clientY - top };
    element.setPointerCapture(event.pointerId);
  });
  element.addEventListener("pointermove", (event) => {
    if (grip === undefined) return;
    const { left, top, width, height } = area.getBoundingClientRect();
    next = [share(event.clientX - grip.x - left, 0.75 * width), share(event.clientY - grip.y - top, 0.8 * height)];
    show(...next);
    void tellNext();
  });
  for (const end of ["pointerup", "pointercancel"]) {
    element.addEventListener(end, () => {
      grip = undefined;
    });
  }

  async function tellNext(): Promise<void> {
    if (isTelling) return;
    isTelling = true;
    while (next !== undefined) {
      const place = next;
      next = undefined;
      await tell(...place);
    }
    isTelling = false;
  }
}

function share(position: number, size: number): number {
  return Math.min(1, Math.max(0, position / size));
}
