# SPDX-License-Identifier: Apache-2.0
"""What the parts of a process that look again and again have in common."""

import abc
import threading


class Looping(abc.ABC):
    """A part with a thread of its own, which calls ``look`` until it is stopped.

    ``look`` returns the seconds until it is to be called again. It raises nothing: that
    would end the thread, and with it the process (``alive``).
    """

    name = "looping"
    """Of the thread."""
    patience: float | None = 2.0
    """Seconds that an end waits, at most, for a look under way, which is given up then;
    None: it must end, and ``stop`` says whether it has."""

    def __init__(self, pause: float = 0.0) -> None:
        self._pause = pause
        """Seconds until the thread's first look."""
        self._stopping = threading.Event()
        self._rung = threading.Event()
        self._thread: threading.Thread | None = None

    @abc.abstractmethod
    def look(self) -> float:
        """One look."""

    def start(self) -> None:
        """Begins to look."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def stop(self, within: float) -> bool:
        """Looks no more; one that hangs is left to the end of the process."""
        self._stopping.set()
        self._rung.set()
        given_up = self.patience is not None
        if self._thread is not None:
            self._thread.join(min(within, self.patience or within))
        return given_up or not self.alive()

    def alive(self) -> bool:
        """Whether its thread still runs; a look that hangs is no fault of ours."""
        return self._thread is not None and self._thread.is_alive()

    def ring(self) -> None:
        """Look now; and once more, if a look is under way."""
        self._rung.set()

    def _run(self) -> None:
        pause = self._pause
        while True:
            self._rung.wait(pause)
            self._rung.clear()
            if self._stopping.is_set():  # asked after: a stop's ring is not lost
                return
            pause = self.look()
