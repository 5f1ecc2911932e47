// A message at the end of a form comes into view, with the buttons below it.

/** For what appears when something went wrong, or takes its time. */
export function seen(node: HTMLElement): void {
  const end = node.closest("form")?.lastElementChild ?? node;
  // Not every engine that runs the tests has it.
  end.scrollIntoView?.({ block: "nearest" });
}
