// SPDX-License-Identifier: GPL-2.0-or-later
/* Where in a notebook the reader is, and how to get elsewhere in it. */

/* The notebook and the cell that an element belongs to, or nothing. */
export function placeOf(tracker, element) {
  const panel = tracker.find((one) => one.node.contains(element));
  const cell = panel?.content.widgets.find((one) => one.node.contains(element));
  return cell && { panel, cell, index: panel.content.widgets.indexOf(cell) };
}

const settled = () => new Promise((done) => setTimeout(done, 100)); // when outputs have their heights

/* Have the whole of a cell in sight, or of a tall one so much that it begins in the upper part. */
export async function show(panel, cell) {
  await settled();
  const scrolled = panel.content.outerNode ?? panel.content.node;
  const window = scrolled.getBoundingClientRect();
  const { top, bottom } = cell.node.getBoundingClientRect();
  const below = Math.min(bottom - window.bottom, top - window.top - window.height / 3);
  if (below > 0) scrolled.scrollTop += below;
  else if (top < window.top) scrolled.scrollTop -= window.top - top;
}

/* Make a cell the one that Shift+Enter runs, in sight and with the focus. `first` is the cell that is
 * to be seen at the top, such as the text of an exercise. */
export async function goTo(panel, index, first) {
  const notebook = panel.content;
  if (index < 0 || index >= notebook.widgets.length) return;
  notebook.mode = "command";
  notebook.deselectAll();
  notebook.activeCellIndex = index;
  await notebook.scrollToItem(first ?? index, first === undefined ? "auto" : "start");
  const cell = notebook.widgets[index];
  if (notebook.activeCell !== cell) return; // the reader went on meanwhile
  cell.node.focus({ preventScroll: true });
  if (first === undefined) return show(panel, cell);
  await settled();
  const scrolled = notebook.outerNode ?? notebook.node;
  const { top } = notebook.widgets[first].node.getBoundingClientRect();
  scrolled.scrollTop += top - scrolled.getBoundingClientRect().top;
}
