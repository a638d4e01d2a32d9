"""A table as people have them: an id, dates, categories, missing cells, a constant."""

import numpy as np

HEADER = ("id", "born", "job", "city", "balance", "planet", "income", "rich")


def people(n=24, separator=",", decimal="."):
    """The text of the table; people who have more earn more, and those of Oslo do."""
    rng = np.random.default_rng(0)
    days = np.datetime64("2020-01-01") + rng.integers(0, 900, n)
    jobs, cities = rng.choice(["cook", "judge", "nurse"], n), rng.choice(["Lima", "Oslo"], n)
    balances = np.round(rng.normal(0.0, 10.0, n), 1)
    incomes = 2.0 + 3.0 * (balances > 0.0) + (cities == "Oslo") + rng.normal(0.0, 0.1, n)
    lines = [HEADER]
    for i, (day, job, city, balance, income) in enumerate(
        zip(days, jobs, cities, balances, incomes, strict=True)
    ):
        year, month, date = str(day).split("-")
        numbers = [f"{value:.2f}".replace(".", decimal) for value in (balance, income)]
        lines.append(
            (
                str(100 + i), f"{date}.{month}.{year}", "" if i % 11 == 5 else job, city,
                "" if i % 7 == 3 else numbers[0], "Earth", numbers[1],
                "yes" if income > 4.0 else "no",
            )
        )  # fmt: skip
    return "\n".join(separator.join(cells) for cells in lines) + "\n"
