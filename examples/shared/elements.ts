// The page, as its scripts find their way in it. Text is always text, never markup.

export function element<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (found instanceof type) return found;
  throw new Error(`The page has no ${type.name} with the id '${id}'.`);
}

/** The newest comes first. */
export function log(text: string): void {
  const item = document.createElement("li");
  item.textContent = text;
  element("log", HTMLElement).prepend(item);
}

/** Runs with the form's fields by name, whenever it is submitted. */
export function onSubmit(id: string, run: (fields: Readonly<Record<string, string>>) => void): void {
  const form = element(id, HTMLFormElement);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const fields = [...new FormData(form, event.submitter)].map(([name, value]) => [name, String(value)] as const);
    run(Object.fromEntries(fields));
  });
}
