"""A Qt text widget; its text goes to a file whenever it changes. With a second argument it is a password
field."""

import sys
from pathlib import Path

from PySide6.QtWidgets import QApplication, QPlainTextEdit

out = Path(sys.argv[1])
app = QApplication(["window"])
edit = QPlainTextEdit()
edit.resize(800, 400)
edit.textChanged.connect(lambda: out.write_text(edit.toPlainText(), encoding="utf-8"))
edit.show()
edit.activateWindow()
app.exec()
