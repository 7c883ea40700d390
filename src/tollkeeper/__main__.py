"""``python -m tollkeeper`` is the command ``tollkeeper``."""

from tollkeeper.infra.cli import main

if __name__ == "__main__":
    main()
