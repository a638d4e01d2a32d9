"""The pages by name, in the order of the report."""

from __future__ import annotations

from cvxnn.study.pages import deep, incremental, polynomial, quantised
from cvxnn.study.pages.page import Page

PAGES: dict[str, Page] = {
    "deep": deep.PAGE,
    "quantised": quantised.PAGE,
    "polynomial": polynomial.PAGE,
    "incremental": incremental.PAGE,
}
