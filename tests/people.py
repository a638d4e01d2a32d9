"""A table as people have them: an id, dates, categories, missing cells, a constant."""

import numpy as np

HEADER = ("id", "born", "city", "height", "planet", "income", "rich")


def people(n=40, separator=",", decimal="."):
    """The text of the table; taller people earn more, and those of Oslo do."""
    rng = np.random.default_rng(0)
    days = np.datetime64("2020-01-01") + rng.integers(0, 900, n)
    cities = rng.choice(["Lima", "Oslo", "Rome"], n)
    heights = np.round(rng.normal(1.7, 0.1, n), 2)
    incomes = 2.0 + 3.0 * (heights > 1.7) + (cities == "Oslo") + rng.normal(0.0, 0.1, n)
    lines = [HEADER]
    for i, (day, city, height, income) in enumerate(
        zip(days, cities, heights, incomes, strict=True)
    ):
        year, month, date = str(day).split("-")
        numbers = [f"{value:.2f}".replace(".", decimal) for value in (height, income)]
        lines.append(
            (
                str(100 + i), f"{date}.{month}.{year}", "" if i % 11 == 5 else city,
                "" if i % 7 == 3 else numbers[0], "Earth", numbers[1],
                "yes" if income > 4.0 else "no",
            )
        )  # fmt: skip
    return "\n".join(separator.join(cells) for cells in lines) + "\n"
