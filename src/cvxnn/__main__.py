"""``python -m cvxnn`` is the command ``cvxnn``."""

from cvxnn.cli import main

if __name__ == "__main__":
    main()
