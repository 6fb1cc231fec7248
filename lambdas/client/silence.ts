// How long nothing has arrived, by the rule of ASP.NET SignalR's connectionSlow.

import type { Timers } from "./timers.ts";

export interface Silence {
  /** Something arrived. From here on silence may last `timeout` milliseconds before the client gives up. */
  broken(timeout: number): void;
  /** Nothing is expected any more, until something arrives. */
  stop(): void;
}

/** Calls `onSlow` when two thirds of the timeout have passed in silence; again only after an arrival. */
export function watchSilence(timers: Timers, onSlow: () => void): Silence {
  let timeout = 0;
  let brokenAt = 0;
  let warning = 0;
  let interval = 0;
  let cancel: (() => void) | undefined;

  const lasted = (): number => timers.now() - brokenAt;

  function plan(): void {
    // Whole milliseconds, up: timers cut fractions off, and a check that comes too early has to be repeated.
    const pause = Math.ceil(Math.min(interval, warning - lasted()));
    const due = timers.now() + pause;
    cancel = timers.after(pause, () => check(timers.now() - due));
  }

  /**
   * Messages may wait behind a check in the event loop, so they get a turn first; and in a page that was frozen, or on
   * a machine that slept, they may be on their way still, so they get the time to the next check.
   */
  function check(late: number): void {
    if (lasted() < warning) plan();
    else cancel = timers.after(late > interval ? interval : 0, conclude);
  }

  function conclude(): void {
    cancel = undefined;
    if (lasted() < warning) plan();
    else onSlow();
  }

  function stop(): void {
    cancel?.();
    cancel = undefined;
  }

  return {
    broken(nextTimeout) {
      if (nextTimeout !== timeout) stop();
      timeout = nextTimeout;
      warning = (timeout * 2) / 3;
      interval = (timeout - warning) / 3;
      brokenAt = timers.now();
      // A check that is planned already plans the next one from here: most frames cost no timer.
      if (cancel === undefined) plan();
    },
    stop,
  };
}
