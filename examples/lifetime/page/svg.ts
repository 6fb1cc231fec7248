// SVG elements. Text is always text, never markup.

const NAMESPACE = "http://www.w3.org/2000/svg";

type Attributes = Readonly<Record<string, string | number>>;

export function element(name: string, attributes: Attributes = {}): SVGElement {
  const made = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) {
    made.setAttribute(key, typeof value === "number" ? String(Math.round(value * 10) / 10) : value);
  }
  return made;
}

export const rect = (attributes: Attributes): SVGElement => element("rect", attributes);
export const line = (attributes: Attributes): SVGElement => element("line", attributes);

export function text(content: string, attributes: Attributes): SVGElement {
  const made = element("text", attributes);
  made.textContent = content;
  return made;
}
