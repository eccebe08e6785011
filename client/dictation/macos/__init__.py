"""The desktop ports on macOS, over PyObjC: a menu-bar app of AppKit, AVFoundation and Quartz, not a port of
one.

AppKit lives on the main thread (`shell`), dictation on a second one; `main_thread` carries calls over. PyObjC
is only imported when an adapter is made (`frameworks`), so these modules load, and are tested, on any system.
`keystrokes`, `keys`, `pieces` and `links` are pure. What Carbon alone has (hot keys, secure input, the
keyboard's layout) is in `carbon`, over ctypes.
"""
