// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Cells that begin with %%xdp are C: its colours, its indentation with tabs, its comments, and the
 * numbers of lines that errors name. Pictures follow the theme. A JupyterLab extension without a
 * build: what webpack would have made around it and the files beside it is a container with init()
 * and get().
 */
(window._JUPYTERLAB ??= {})["xdp-lab"] = (() => {
  const beside = document.currentScript.src;
  let modules; // those that JupyterLab shares: name -> version -> {get}

  const shared = async (name) => (await Object.values(modules[name])[0].get())();

  /* The text as C has it: spaces in place of the first line, which is Jupyter's. */
  function withoutFirstLine(input) {
    const line = input.read(0, Math.min(input.length, 1000)).indexOf("\n");
    const end = line < 0 ? input.length : line;
    return {
      length: input.length,
      lineChunks: input.lineChunks,
      chunk: (from) => (from < end ? " ".repeat(end - from) : input.chunk(from)),
      read: (from, to) =>
        " ".repeat(Math.max(0, Math.min(to, end) - from)) +
        (to > end ? input.read(Math.max(from, end), to) : ""),
    };
  }

  /*
   * How far a line is indented: a tab for each open brace, and one more inside a statement. The
   * parser's tree does not know it, since while one types most braces have no end yet.
   */
  const MARKS = /\/\*[^]*?(?:\*\/|$)|\/\/.*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|[{}()]/g;

  function indentation(context, pos) {
    const doc = context.state.doc;
    const before = doc.sliceString(doc.line(1).to, pos);
    const open = [];
    const code = before.replace(MARKS, (mark, at) => {
      if ("{(".includes(mark)) open.push({ mark, at: doc.line(1).to + at });
      else if ("})".includes(mark)) open.pop();
      return mark.startsWith("/") ? "" : mark;
    });
    const next = context.textAfterPos(pos).trim();
    const last = open.at(-1);
    if (next.startsWith("#")) return 0;
    if (last?.mark === "(") return context.column(last.at) + 1;
    const goesOn = /[^\s;{}:]\s*$/.test(code) && !/(?:^|\n)[ \t]*#.*\s*$/.test(code);
    const less = /^(?:}|case\b|default\s*:)/.test(next);
    return context.unit * Math.max(0, open.length + (less ? -1 : goesOn && next !== "{" ? 1 : 0));
  }

  /* JupyterLab's C++ without the first line, and with C's habits. */
  function cIn({ language, view, state }, cpp) {
    const parser = Object.assign(Object.create(cpp.language.parser), {
      createParse: (input, fragments, ranges) =>
        cpp.language.parser.createParse(withoutFirstLine(input), fragments, ranges),
    });
    const c = new language.Language(cpp.language.data, parser, [], "c");
    return state.Prec.highest([
      new language.LanguageSupport(c, cpp.support).extension,
      language.indentUnit.of("\t"),
      language.indentService.of(indentation),
      view.lineNumbers(),
    ]);
  }

  /* An editor's extension: while the first line is %%xdp, the cell is C. */
  function follow(codemirror, loadC) {
    const { state, view } = codemirror;
    const place = new state.Compartment();
    const isC = (doc) => /^%%xdp\b/.test(doc.line(1).text);

    class Follower {
      constructor(editor) {
        this.wasC = false;
        this.look(editor);
      }

      update(change) {
        if (change.docChanged) this.look(change.view);
      }

      async look(editor) {
        const now = isC(editor.state.doc);
        if (now === this.wasC) return;
        this.wasC = now;
        const cpp = now ? await loadC() : undefined;
        await Promise.resolve(); // an update may not change what it is about
        if (this.gone || isC(editor.state.doc) !== now) return;
        const extension = cpp ? cIn(codemirror, cpp) : [];
        editor.dispatch({ effects: place.reconfigure(extension) });
      }

      destroy() {
        this.gone = true;
      }
    }
    return [place.of([]), view.ViewPlugin.fromClass(Follower)];
  }

  /* Pictures have the scheme of the theme, which an image takes from the element around it. */
  const STYLE = `
    img[src^="data:image/svg"] { color-scheme: light; }
    body[data-jp-theme-light="false"] img[src^="data:image/svg"] { color-scheme: dark; }
    /* JupyterLab's own are too faint for code that one has to read. */
    body { --jp-mirror-editor-comment-color: #2f7070; }
    body[data-jp-theme-light="false"] { --jp-mirror-editor-comment-color: #6fb0b0; --jp-mirror-editor-meta-color: #c792ff; }
    /* Lines of prose that one can follow; tables, code and pictures may be wider. */
    .jp-RenderedMarkdown > :is(p, ul, ol, blockquote, h1, h2, h3, h4, h5, h6) { max-width: 80ch; }
    /* An arrow stays in one piece; what JupyterLab takes for a path in an error leads nowhere. */
    .jp-ThemedContainer .jp-RenderedMarkdown :is(p, li) code { white-space: nowrap; }
    @media (max-width: 900px) { /* too long for a line: broken inside, and its comma may go down alone */
      .jp-ThemedContainer .jp-RenderedMarkdown :is(p, li) code { display: inline-block; max-width: 100%; white-space: pre-wrap; }
    }
    .jp-RenderedText a[href=""] { color: inherit; text-decoration: none; pointer-events: none; }
    /* A colour alone is not seen by everybody, and not enough by anybody. */
    .jp-RenderedMarkdown :is(p, li, td) a:any-link { text-decoration: underline; }
  `;

  function addStyle() {
    const style = document.createElement("style");
    style.textContent = STYLE;
    document.head.append(style);
  }

  /* A slider's handle is called what stands beside it. */
  function nameSliders() {
    const handles = document.getElementsByClassName("noUi-handle");
    const name = (handle) => {
      const label = handle.closest(".widget-slider")?.querySelector(".widget-label");
      if (label) handle.setAttribute("aria-label", label.textContent);
    };
    new MutationObserver(() => {
      for (const handle of handles) if (!handle.hasAttribute("aria-label")) name(handle);
    }).observe(document.body, { childList: true, subtree: true });
  }

  async function plugin() {
    const names = ["language", "state", "view"].map((name) => `@codemirror/${name}`);
    const [jupyter, language, state, view] = await Promise.all(
      ["@jupyterlab/codemirror", ...names].map(shared),
    );
    return {
      id: "xdp-lab:c-cells",
      autoStart: true,
      requires: [
        jupyter.IEditorExtensionRegistry,
        jupyter.IEditorLanguageRegistry,
      ],
      activate: (app, extensions, languages) => {
        addStyle();
        nameSliders();
        const loadC = async () => (await languages.getLanguage("C++"))?.support;
        extensions.addExtension({
          name: "xdp-lab:c",
          factory: () =>
            jupyter.EditorExtensionRegistry.createImmutableExtension(
              follow({ language, state, view }, loadC),
            ),
        });
      },
    };
  }

  return {
    init: (scope) => {
      modules = scope;
    },
    get: async () => {
      const others = ["course.js", "answering.js", "terminal.js"].map(async (name) =>
        (await import(new URL(name, beside))).plugin(shared));
      const found = await Promise.all([plugin(), ...others]);
      return () => ({ __esModule: true, default: found });
    },
  };
})();
