"""What a widget takes from a browser, and what it does not."""

import anywidget


class Listening(anywidget.AnyWidget):
    """A widget whose browser side may set the traits named in ``heard``, and no others: the
    question, the picture and the answer are Python's to say."""

    heard: tuple[str, ...] = ()

    def set_state(self, sync_data: dict) -> None:
        """Called by ipywidgets with what a browser asks to change."""
        super().set_state({name: sync_data[name] for name in self.heard if name in sync_data})
