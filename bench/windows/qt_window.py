"""A Qt text widget; its text goes to a file whenever it changes."""

import sys
from pathlib import Path

from PySide6.QtWidgets import QApplication, QPlainTextEdit

from bench.windows.written import write_down

out = Path(sys.argv[1])
app = QApplication(["window"])
edit = QPlainTextEdit()
edit.resize(800, 400)
edit.textChanged.connect(lambda: write_down(edit.toPlainText(), out))
edit.show()
edit.activateWindow()
app.exec()
