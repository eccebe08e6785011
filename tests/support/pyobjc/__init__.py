"""PyObjC without a Mac: objects that take what PyObjC would take, and refuse what it would refuse.

What there is comes from PyObjC itself: names, values and signatures from the metadata in its macOS wheels
(`metadata.py`), classes and plain methods from a table of Apple's headers (`headers.py`). `runtime.py` makes
frameworks of them in which an unknown name, a wrong number of arguments, a value of another type, a block
that can't be called, or AppKit off the main thread is an error, as on a Mac; what the parts *do* there that
our code depends on is in `cocoa.py`, `audio.py` and `network.py`, and `carbon.py` for C; `mac.py` puts them
together. It shows that our code calls what exists in the way it is to be called. That macOS then does what
its documentation says is not shown here: `steno dictate selftest` asks on a Mac.
"""
