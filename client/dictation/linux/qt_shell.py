"""Icon in the tray, and an indicator that never takes the focus, with Qt."""

import contextlib
import signal
import socket
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from PySide6.QtCore import QObject, QSocketNotifier, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QColor, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QLabel,
    QMenu,
    QProgressBar,
    QSystemTrayIcon,
    QVBoxLayout,
    QWidget,
)

from client.dictation.core.view import Cue, Light, State, View
from client.dictation.cues import Cues
from client.dictation.plain_shell import StatusLine
from client.dictation.ports import Wish

COLOURS: Final[dict[Light, str]] = {"off": "#8a8a8a", "wait": "#f0a020", "on": "#2fb344", "red": "#e03131"}
"""Of the dot in the tray and in the window."""
_WIDTH: Final = 560
_MARGIN: Final = 48
_NOTICE_S: Final = 6
"""How long a notice stays when dictation is off."""
_QUIET_DB: Final = -60
_SHOWN_CHARS: Final = 240
"""Of a text, its end."""
_MENU: Final[tuple[tuple[str, Wish], ...]] = (
    ("Start or end dictation", "toggle"),
    ("Take the last utterance back", "undo"),
    ("Copy the last text", "copy_last"),
    ("Settings", "settings"),
    ("Quit", "quit"),
)


class _Bridge(QObject):
    """Carries calls from other threads to Qt's."""

    shown = Signal(object)
    ended = Signal()


class QtShell:
    """The port `Shell`. To be made and run on the main thread."""

    def __init__(self) -> None:
        self._app = QApplication.instance() or QApplication(["steno"])
        self._app.setQuitOnLastWindowClosed(False)  # type: ignore[attr-defined]
        self._bridge = _Bridge()
        self._bridge.shown.connect(self._draw)
        self._bridge.ended.connect(self._app.quit)
        # A Wayland compositor gives each new window the keyboard, and what is typed would go into it.
        is_wayland = QApplication.platformName().startswith("wayland")
        self._indicator = StatusLine() if is_wayland else Indicator()
        self._tray = QSystemTrayIcon(_icon("off"))
        self._cues = Cues()
        self._error: BaseException | None = None

    def run(
        self, work: Callable[[], None], on_wish: Callable[[Wish], None], on_press: Callable[[], None]
    ) -> None:
        """See `Shell`. Ctrl-C and SIGTERM are the wish to quit."""
        menu = QMenu()
        menu.aboutToShow.connect(on_press)
        actions: list[QAction] = []
        for text, wish in _MENU:
            action = menu.addAction(text)
            action.triggered.connect(_asking(on_wish, wish))
            actions.append(action)
        self._tray.setContextMenu(menu)

        def clicked(why: QSystemTrayIcon.ActivationReason) -> None:
            if why == QSystemTrayIcon.ActivationReason.Trigger:
                on_press()
                on_wish("toggle")

        self._tray.activated.connect(clicked)
        self._tray.show()

        def guarded() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - raised again on the main thread
                self._error = error
            self._bridge.ended.emit()

        with _Signals(lambda: on_wish("quit")):
            thread = threading.Thread(target=guarded, name="dictation")
            thread.start()
            self._app.exec()
            thread.join()
        self._tray.hide()
        self._indicator.close()
        self._cues.close()
        if self._error is not None:
            raise self._error

    def show(self, view: View) -> None:
        """See `Shell`."""
        self._bridge.shown.emit(view)

    def cue(self, cue: Cue) -> None:
        """See `Shell`."""
        self._cues.play(cue)

    def _draw(self, view: View) -> None:
        self._tray.setIcon(_icon(view.light))
        self._tray.setToolTip("\n".join(filter(None, (view.headline, view.notice))))
        self._indicator.draw(view)


class Indicator(QWidget):
    """A small window at the bottom of the screen: light, state, level, what is being said."""

    def __init__(self) -> None:
        flags = Qt.WindowType
        super().__init__(
            None,
            flags.Tool
            | flags.FramelessWindowHint
            | flags.WindowStaysOnTopHint
            | flags.WindowDoesNotAcceptFocus,
        )
        self.setAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
        self.setAttribute(Qt.WidgetAttribute.WA_X11NetWmWindowTypeNotification)
        self.setWindowTitle("Steno dictation")
        self.setStyleSheet("QWidget { background: #1d1f23; color: #f3f3f3; font-size: 14px; }")
        self.setFixedWidth(_WIDTH)
        self._light, self._headline = QLabel(), QLabel()
        self._level = QProgressBar()
        self._level.setRange(_QUIET_DB, 0)
        self._level.setTextVisible(False)
        self._level.setFixedSize(90, 6)
        self._level.setStyleSheet(
            "QProgressBar { background: #3a3d44; border: 0 } QProgressBar::chunk { background: #74c0fc }"
        )
        self._text = _wrapped("#f3f3f3")
        self._interim = _wrapped("#a5a9b1", italic=True)
        self._notice = _wrapped("#ffc078")
        head = QHBoxLayout()
        head.addWidget(self._light)
        head.addWidget(self._headline, 1)
        head.addWidget(self._level)
        column = QVBoxLayout(self)
        column.addLayout(head)
        for label in (self._text, self._interim, self._notice):
            column.addWidget(label)
        self._hiding = QTimer(self, singleShot=True, interval=_NOTICE_S * 1000)
        self._hiding.timeout.connect(self.hide)

    def draw(self, view: View) -> None:
        """Show this."""
        self._light.setPixmap(_dot(view.light, 14))
        self._headline.setText(view.headline)
        self._level.setVisible(view.level_db is not None)
        self._level.setValue(max(_QUIET_DB, round(view.level_db or _QUIET_DB)))
        is_on = view.state != State.OFF
        _fill(self._text, view.last if is_on else "")
        _fill(self._interim, view.interim)
        _fill(self._notice, view.notice)
        if is_on:
            self._hiding.stop()
            self._place()
        elif not view.notice:
            self.hide()
        elif not self._hiding.isActive():
            self._place()
            self._hiding.start()

    def _place(self) -> None:
        self.adjustSize()
        area = QApplication.primaryScreen().availableGeometry()
        self.move(area.center().x() - self.width() // 2, area.bottom() - self.height() - _MARGIN)
        if not self.isVisible():
            self.show()


def _asking(on_wish: Callable[[Wish], None], wish: Wish) -> Callable[[], None]:
    def ask() -> None:
        QApplication.sync()  # the menu has the keyboard until it is gone
        on_wish(wish)

    return ask


class _Signals:
    """Ctrl-C and SIGTERM call `stop` while Qt's loop runs, which else lets no Python code run for them."""

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        self._ends = socket.socketpair()
        for end in self._ends:
            end.setblocking(False)
        self._fd = signal.set_wakeup_fd(self._ends[1].fileno())
        self._notifier = QSocketNotifier(self._ends[0].fileno(), QSocketNotifier.Type.Read)
        self._notifier.activated.connect(self._read)

        def handle(_number: int, _frame: FrameType | None) -> None:
            self._stop()

        self._before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._ends[0].recv(16)  # Python calls its handlers now

    def __exit__(self, *_: object) -> None:
        self._notifier.setEnabled(False)
        signal.set_wakeup_fd(self._fd)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        for end in self._ends:
            end.close()


def _wrapped(colour: str, *, italic: bool = False) -> QLabel:
    label = QLabel()
    label.setTextFormat(Qt.TextFormat.PlainText)  # what was said is no markup
    label.setWordWrap(True)
    label.setStyleSheet(f"color: {colour};" + ("font-style: italic;" if italic else ""))
    return label


def _fill(label: QLabel, text: str) -> None:
    label.setText(text if len(text) <= _SHOWN_CHARS else "…" + text[-_SHOWN_CHARS:])
    label.setVisible(bool(text))


def _dot(light: Light, size: int) -> QPixmap:
    pixmap = QPixmap(size, size)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(QColor(COLOURS[light]))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.drawEllipse(1, 1, size - 2, size - 2)
    painter.end()
    return pixmap


def _icon(light: Light) -> QIcon:
    return QIcon(_dot(light, 32))
