// A message at the end of a form comes into view, with the buttons below it.

/** Below the message and above the buttons, which stay at the edge of a page that is longer than the window. */
const AIR = 16;

/** For what appears when something went wrong, or takes its time. */
export function seen(node: HTMLElement): void {
  const end = node.closest("form")?.lastElementChild;
  if (end instanceof HTMLElement) node.style.scrollMarginBottom = `${end.offsetHeight + AIR}px`;
  // Not every engine that runs the tests has it.
  node.scrollIntoView?.({ block: "nearest" });
}
