// Paths at which hubs are served.

const SEGMENTS = /^[\w.~-]+(\/[\w.~-]+)*$/;
/** They do not reach a server: whoever writes a URL resolves them. */
const DOTS = /(^|\/)\.{1,2}(\/|$)/;

/** @throws TypeError for a path that is none. */
export function checkHubPath(path: unknown): void {
  if (typeof path === "string" && SEGMENTS.test(path) && !DOTS.test(path) && path.length <= 100) return;
  throw new TypeError(`Hub path '${path}' must be segments of letters, digits and -._~ joined by '/', such as 'chat'.`);
}
