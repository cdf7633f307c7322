"""Sphinx's configuration."""

from __future__ import annotations

import sys
from importlib.metadata import version as get_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "Mailnod"
author = "The Mailnod authors"
copyright = "2026, The Mailnod authors"
release = version = get_version("mailnod")

extensions = ["myst_parser", "sphinx.ext.autodoc", "reference"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "signature"

html_theme = "alabaster"
html_title = "Mailnod"
html_theme_options = {"description": "Open and click tracking, consent first", "page_width": "70rem"}
