// SPDX-License-Identifier: GPL-2.0-or-later
/* Where in a notebook the reader is, and how to get elsewhere in it. */

/* The notebook and the cell that an element belongs to, or nothing. */
export function placeOf(tracker, element) {
  const panel = tracker.find((one) => one.node.contains(element));
  const cell = panel?.content.widgets.find((one) => one.node.contains(element));
  return cell && { panel, cell, index: panel.content.widgets.indexOf(cell) };
}

/* Make a cell the one that Shift+Enter runs, in sight and with the focus.
 * `top` is the cell that should be in sight with it, `align` where: "start" is the upper edge. */
export async function goTo(panel, index, top = index, align = "auto") {
  const notebook = panel.content;
  if (index < 0 || index >= notebook.widgets.length) return;
  notebook.mode = "command";
  notebook.deselectAll();
  notebook.activeCellIndex = index;
  await notebook.scrollToItem(top, align);
  const cell = notebook.widgets[index];
  if (notebook.activeCell !== cell) return; // the reader went on meanwhile
  cell.node.focus({ preventScroll: true });
  const window = notebook.node.getBoundingClientRect();
  const { top: upper, bottom: lower } = cell.inputArea?.node.getBoundingClientRect() ?? window;
  if (upper < window.top || lower > window.bottom) cell.node.scrollIntoView({ block: "nearest" });
}
