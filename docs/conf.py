"""The site, from the Markdown of this folder and the files beside it: see `make docs`.

The source folder is that of the repository, so that a link between its files is right on a plain
view of it and on the site alike. The pages of the commands are written by `site/generated.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "site"))

import generated

from dicomseal import __version__

project = "dicomseal"
author = "the dicomseal maintainers"
project_copyright = f"2026 {author}"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "generated",
]
root_doc = "docs/index"
include_patterns = ["*.md", "docs/**.md", "docs/site/**.rst", "bench/*.md"]
exclude_patterns = ["build", ".venv"]

myst_heading_anchors = 4
myst_links_external_new_tab = False
highlight_language = "none"
default_role = "code"
smartquotes = False  # would make one dash of the two of an option

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autoclass_content = "class"
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_theme = "furo"
templates_path = ["site/templates"]
html_title = "dicomseal"
html_show_sphinx = False
html_show_sourcelink = False
html_show_search_summary = False  # would fetch pages, which no browser does from a file
html_copy_source = False
html_use_index = True

man_pages = generated.man_pages(author)
man_show_urls = False
