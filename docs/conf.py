"""How Sphinx builds the site from docs/ and examples/; CONTRIBUTING.md has the command."""

import os
import sys
from pathlib import Path

import cvxnn

# For gallery_order, which sphinx-gallery imports.
sys.path.insert(0, str(Path(__file__).parent))

project = "cvxnn"
author = "The cvxnn developers"
copyright = f"{author}, MIT licence"
version = release = cvxnn.__version__

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "sphinx-mathjax-offline",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "gallery/*.ipynb", "gallery/*.py"]
nitpicky = True
# In docstrings one backtick is around names of arguments.
default_role = "literal"
# Literal blocks are formulas; what is code says so.
highlight_language = "none"
toc_object_entries_show_parents = "hide"

# Names of parameters and what is typed are in the docstrings, in words.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False

myst_enable_extensions = ["attrs_block", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "auto"
nb_execution_raise_on_error = True
nb_execution_timeout = 600

# The build needs no network: links into the documentation of other projects are set if asked for.
intersphinx_mapping = (
    {
        "numpy": ("https://numpy.org/doc/stable/", None),
        "python": ("https://docs.python.org/3/", None),
        "scipy": ("https://docs.scipy.org/doc/scipy/", None),
        "sklearn": ("https://scikit-learn.org/stable/", None),
    }
    if os.environ.get("CVXNN_DOCS_INTERSPHINX")
    else {}
)

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "within_subsection_order": "gallery_order.Order",
    "doc_module": ("cvxnn",),
    "download_all_examples": False,
    # Of examples without a figure.
    "default_thumb_file": str(Path(__file__).parent / "_static" / "logo.svg"),
    "backreferences_dir": "api/generated/backreferences",
    "abort_on_example_error": True,
    "image_srcset": ["2x"],
    "min_reported_time": 1e9,
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
    "write_computation_times": False,
}

html_theme = "pydata_sphinx_theme"
html_title = "cvxnn"
html_favicon = "_static/logo.svg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_context = {"default_mode": "auto"}
html_theme_options = {
    "logo": {"image_light": "_static/logo.svg", "image_dark": "_static/logo.svg", "text": "cvxnn"},
    "header_links_before_dropdown": 6,
    # The links have one line beside the search, also where a window is not wide.
    "navbar_align": "left",
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
# Pages without others beside them.
_ALONE = ("index", "benchmarks/index", "glossary", "bibliography", "changes")
html_sidebars: dict[str, list[str]] = {page: [] for page in _ALONE}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
