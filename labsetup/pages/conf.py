"""What Sphinx is told.  All that a page needs lies beside it: nothing is from another host."""

project = "XDP Lab"
html_title = project
language = "en"
smartquotes = False
root_doc = "index"
extensions = ["myst_nb", "sphinx.ext.githubpages", "labsetup.pages.words"]

nb_execution_mode = "off"  # a page shows what is stored
nb_merge_streams = True
nb_render_error_lexer = "text"  # a sentence of the lab's, not Python's traceback
myst_disable_syntax = ["myst_role", "myst_target", "myst_line_comment", "myst_block_break"]

highlight_language = "text"
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-dark"
html_theme = "furo"
html_static_path = ["static"]
html_favicon = "static/icon.svg"
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_copy_source = False
html_show_copyright = False
html_domain_indices = False
html_use_index = False
