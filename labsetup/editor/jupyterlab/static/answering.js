// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Predictions and exercises by mouse and by keyboard: who has predicted goes on to the next cell;
 * below each exercise are a hint, its starter again, and the next exercise. The same is in the
 * palette, for the cell that is active.
 */
import { goTo, placeOf } from "./places.js";

const ANSWER = ".xdp-lab-answer";
const NUMBER = ".xdp-lab-number";
const BUTTONS = ".xdp-lab-buttons";

const STYLE = `
  ${ANSWER}:disabled { opacity: 1; }
  ${BUTTONS} { display: flex; gap: 8px; padding: 4px 0 4px calc(var(--jp-cell-prompt-width) + 12px); }
  :is(${ANSWER}, ${BUTTONS} button):focus-visible { outline: 3px solid var(--jp-brand-color1); outline-offset: 2px; }
`;

/* Who has chosen an answer, or entered a number, goes on to the next cell. */
function goOn(tracker) {
  const next = (element) => {
    const place = placeOf(tracker, element);
    if (place) goTo(place.panel, place.index + 1);
  };
  document.addEventListener("click", ({ target }) => {
    const answer = target.closest?.(ANSWER);
    if (answer) setTimeout(() => next(answer)); // the widget takes it first
  });
  document.addEventListener("change", ({ target }) => {
    if (target.closest?.(`.jp-mod-active ${NUMBER}`)) setTimeout(() => next(target));
  });
  const keys = (event) => {
    const at = event.target.closest?.(`${ANSWER}, ${NUMBER}, ${BUTTONS} button`);
    if (!at || !["Enter", "Escape"].includes(event.key)) return;
    event.preventDefault(); // JupyterLab would run the cell anew, and the question with it
    event.stopPropagation();
    if (event.key === "Escape") {
      const { panel, index } = placeOf(tracker, at) ?? {};
      if (panel) goTo(panel, index);
    } else if (at.matches(NUMBER)) {
      event.target.dispatchEvent(new Event("change", { bubbles: true }));
    } else {
      at.click();
    }
  };
  window.addEventListener("keydown", keys, true); // JupyterLab listens at the document
}

/* The number of the exercise that a cell answers. */
function exerciseOf(cell) {
  const source = cell.model.type === "code" ? cell.model.sharedModel.getSource() : "";
  const found = /^%%xdp\s+\w+\s+--check\s+([\d.]+)|^check\("([\d.]+)"/m.exec(source);
  return found?.[1] ?? found?.[2];
}

/* Run Python beside the cells, and hand over what comes of it. */
function ask(panel, code, take) {
  const kernel = panel.sessionContext.session?.kernel;
  if (!kernel) return;
  const future = kernel.requestExecute({ code, store_history: false });
  future.onIOPub = ({ header, content }) => take(header.msg_type, content);
}

function hint({ panel, cell }, number) {
  ask(panel, `hint("${number}")`, (kind, content) => {
    const type = kind === "execute_result" ? "display_data" : kind; // without a number
    if (!["display_data", "error", "stream"].includes(type)) return;
    cell.outputArea.model.add({ ...content, output_type: type });
    setTimeout(() => cell.outputArea.node.lastElementChild?.scrollIntoView({ block: "nearest" }), 100);
  });
}

const actions = ({ Dialog, showDialog }, commands) => ({
  Hint: hint,
  "Start over": ({ panel, cell, index }, number) => {
    const code = `print(__import__("labsetup").practice.exercise.find("${number}").cell)`;
    ask(panel, code, async (kind, { text }) => {
      if (kind !== "stream") return;
      const starter = text.trimEnd();
      if (cell.model.sharedModel.getSource().trimEnd() !== starter) {
        const { button } = await showDialog({
          title: `Start ${number} over?`,
          body: "The starter takes the place of what stands in the cell. Ctrl+Z in the cell brings that back.",
          buttons: [Dialog.cancelButton(), Dialog.okButton({ label: "Start over" })],
        });
        if (!button.accept) return;
        cell.model.sharedModel.setSource(starter);
      }
      cell.model.clearExecution();
      cell.outputArea.model.clear();
      goTo(panel, index);
    });
  },
  "Next exercise": ({ panel, index }) => {
    const next = panel.content.widgets.findIndex((one, place) => place > index && exerciseOf(one));
    if (next < 0) return commands.execute("xdp-lab:course"); // which knows the next lesson
    return goTo(panel, next, next - 1, "start"); // with its text
  },
});

/* Below each exercise, its buttons. */
function addButtons(panel, acts) {
  for (const cell of panel.content.widgets) {
    const number = exerciseOf(cell);
    const found = cell.node.querySelector(`:scope > ${BUTTONS}`);
    if (found?.dataset.exercise === number) continue;
    found?.remove();
    if (!number) continue;
    const row = document.createElement("div");
    row.className = BUTTONS.slice(1);
    row.dataset.exercise = number;
    for (const [name, act] of Object.entries(acts)) {
      const button = document.createElement("button");
      button.className = "jp-mod-styled";
      button.textContent = name;
      button.addEventListener("click", () =>
        act({ panel, cell, index: panel.content.widgets.indexOf(cell) }, number));
      row.append(button);
    }
    cell.node.append(row);
  }
}

function watchNotebooks(tracker, acts) {
  const watch = (panel) => {
    panel.context.ready.then(() => addButtons(panel, acts));
    panel.content.modelContentChanged.connect(() => addButtons(panel, acts));
  };
  tracker.forEach(watch);
  tracker.widgetAdded.connect((_, panel) => watch(panel));
}

/* In the palette, for the cell that is active. */
function addCommands(app, palette, tracker, acts) {
  for (const [name, act] of Object.entries(acts)) {
    const here = () => tracker.currentWidget?.content.activeCell && tracker.currentWidget === app.shell.currentWidget;
    const number = () => here() && exerciseOf(tracker.activeCell);
    const command = `xdp-lab:${name.toLowerCase().replaceAll(" ", "-")}`;
    app.commands.addCommand(command, {
      label: name === "Next exercise" ? name : `${name} (exercise)`,
      isEnabled: () => Boolean(name === "Next exercise" ? here() : number()),
      execute: () => {
        const panel = tracker.currentWidget;
        return act({ panel, cell: tracker.activeCell, index: panel.content.activeCellIndex }, number());
      },
    });
    palette?.addItem({ command, category: "XDP Lab" });
  }
}

export async function plugin(shared) {
  const [apputils, notebooks] = await Promise.all(["apputils", "notebook"].map((name) => shared(`@jupyterlab/${name}`)));
  return {
    id: "xdp-lab:answering",
    autoStart: true,
    requires: [notebooks.INotebookTracker],
    optional: [apputils.ICommandPalette],
    activate: (app, tracker, palette) => {
      const style = document.createElement("style");
      style.textContent = STYLE;
      document.head.append(style);
      const acts = actions(apputils, app.commands);
      goOn(tracker);
      watchNotebooks(tracker, acts);
      addCommands(app, palette, tracker, acts);
      tracker.activeCellChanged.connect(() => app.commands.notifyCommandChanged());
    },
  };
}
