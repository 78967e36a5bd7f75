// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The terminal below a lesson: it is there when the lab opens for the first time, comes again when
 * one asks for it, and takes what is typed wherever in it the focus is.
 */
const BELOW = "xdp-lab:terminal";

/* The terminal below; one that is left from before is taken, rather than a second one made. */
async function openTerminal(app, shell) {
  const { terminals } = app.serviceManager;
  if (!terminals.isAvailable()) return undefined;
  const [there] = [...shell.widgets("down")].filter((one) => one.content?.session && !one.content.isDisposed);
  if (there) return there;
  await terminals.ready;
  await terminals.refreshRunning();
  const [left] = terminals.running();
  const terminal = await app.commands.execute("terminal:create-new", left ? { name: left.name } : {});
  shell.add(terminal, "down");
  terminal.disposed.connect(() => { // as after exit: where one was before, keys are heard again
    if (shell.currentWidget) shell.activateById(shell.currentWidget.id);
  });
  return terminal;
}

export async function plugin(shared) {
  const names = ["application", "apputils", "notebook"];
  const [application, apputils, notebooks] = await Promise.all(names.map((name) => shared(`@jupyterlab/${name}`)));
  return {
    id: "xdp-lab:terminal",
    autoStart: true,
    requires: [application.ILabShell, notebooks.INotebookTracker],
    optional: [apputils.ICommandPalette],
    activate: (app, shell, tracker, palette) => {
      app.commands.addCommand(BELOW, {
        label: "Terminal below",
        caption: "A terminal inside the network of the notebook that runs",
        execute: async ({ quiet }) => {
          const before = shell.currentWidget;
          const terminal = await openTerminal(app, shell);
          const front = quiet ? before : terminal;
          if (!quiet) await new Promise((done) => setTimeout(done, 100)); // the palette gives the focus back first
          if (front) shell.activateById(front.id);
        },
      });
      palette?.addItem({ command: BELOW, category: "XDP Lab" });
      const button = () => new apputils.ToolbarButton({ label: "Terminal", tooltip: "A terminal below, in this lesson's network",
        onClick: () => app.commands.execute(BELOW) });
      tracker.widgetAdded.connect((_, panel) => panel.toolbar.insertAfter("xdp-lab-course", "xdp-lab-terminal", button()) ||
        panel.toolbar.insertItem(0, "xdp-lab-terminal", button()));
      // What scrolls can have the focus in Chromium, and what is typed then goes nowhere.
      document.addEventListener("focusin", ({ target }) => {
        if (target.classList.contains("xterm-viewport"))
          target.closest(".xterm").querySelector(".xterm-helper-textarea").focus();
      });
    },
  };
}
