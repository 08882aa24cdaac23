"""``python -m bridge.store`` prints ``docs/data-inventory.md``: what is kept, of whom, why and how long."""

from __future__ import annotations

from bridge.store.inventory import page

if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 - for docs/data-inventory.md
