"""A Tk text widget; its text goes to a file whenever it changes."""

import sys
import tkinter
from pathlib import Path

from bench.windows.written import write_down

out = Path(sys.argv[1])
root = tkinter.Tk()
text = tkinter.Text(root, width=90, height=20)
text.pack()


def write(_event: object = None) -> None:
    """Write it down."""
    text.edit_modified(False)
    write_down(text.get("1.0", "end-1c"), out)


text.bind("<<Modified>>", write)
text.focus_force()
root.mainloop()
