"""Brings a busy kernel the messages of its own widgets: the one file that touches ipykernel's private attributes.

While a cell runs, ipykernel lets what the page sends wait: a slider moved in mid-run acts when the cell ends.
An `Inbox`, asked between two steps of a loop, takes all that waits, handles the messages of its own widgets at once,
and at the end puts the others back in their order. It works with ipykernel 6.30 and 7.0 to 7.4.
"""

import contextlib
import threading

import zmq

WIDGET_CONTROL = "jupyter.widget.control"
QUESTIONS = ("kernel_info_request", "comm_info_request")  # a reloaded page shows no widget before these are answered


class Inbox:
    """What waits for the main shell of `kernel`: `deliver` handles the messages for `widgets`, and holds the others."""

    def __init__(self, kernel, widgets):
        self.kernel, self.ours, self.held = kernel, {widget.model_id for widget in widgets}, []
        self.cells_wait = False  # whether a message that is held asks for another cell, as all do after a Run All
        self.problem = ""  # one sentence for the student once something failed; the training goes on
        with self._guarded():
            if threading.current_thread() is not threading.main_thread():
                raise RuntimeError("this cell does not run on the kernel's main thread")
            self.shell = Shell7(kernel) if getattr(kernel, "shell_channel_thread", None) else Shell6(kernel)

    @contextlib.contextmanager
    def _guarded(self):
        try:
            yield
        except Exception as error:
            self.problem = (
                "The controls act only when the cell ends, because the page's messages could not be read: "
                f"{type(error).__name__}: {error}."
            )

    def deliver(self):
        """Handle every message for our widgets that has come by now."""
        if self.problem:
            return
        with self._guarded():
            for item in self.shell.waiting():
                self.held.append(item)  # before it is read, so that none is lost whatever goes wrong
                message = self._read(self.shell.parts(item))
                if message:
                    self.held.pop()
                    self._handle(*message)

    def put_back(self):
        """Give the kernel all messages that were held, in the order they came and before any that come later."""
        held, self.held = self.held, []
        if held:
            self.shell.put_back(held)

    def _read(self, parts):
        """The sender and the message, if it is ours to handle; None leaves it as if it was never read."""
        if len(parts) < 6:
            return None  # the kernel's notes to itself, such as "stop aborting"
        session = self.kernel.session
        sender, frames = session.feed_identities(parts, copy=False)
        message = session.deserialize(frames, content=False, copy=False)
        kind = message["header"]["msg_type"]
        self.cells_wait = self.cells_wait or kind == "execute_request"
        if not self._is_ours(kind, session.unpack(message["content"])):
            return None
        return sender, session.deserialize(frames, content=True, copy=False)

    def _is_ours(self, kind, content):
        if kind == "comm_open":
            return content["target_name"] == WIDGET_CONTROL
        if kind == "comm_msg":
            comm = self.kernel.comm_manager.comms.get(content["comm_id"])
            return content["comm_id"] in self.ours or getattr(comm, "target_name", "") == WIDGET_CONTROL
        return kind in QUESTIONS

    def _handle(self, sender, message):
        """Do what the kernel does for a message: busy, handler, idle (the page sends no more before it hears idle)."""
        kernel, kind = self.kernel, message["header"]["msg_type"]
        message["header"].pop("subshell_id", None)  # ipykernel 7.4 would send what follows to that subshell's thread
        cell = kernel._parent_ident["shell"], kernel.get_parent("shell")
        kernel.set_parent(sender, message, channel="shell")
        try:
            kernel._publish_status("busy", "shell", parent=message)
            if kind == "comm_msg":  # not handle_msg: its post_execute hooks would close a half-built pyplot figure
                kernel.comm_manager.comms[message["content"]["comm_id"]]._msg_callback(message)
            else:
                finish(kernel.shell_handlers[kind](self.shell.replies, sender, message))
        finally:
            kernel._publish_status_and_flush("idle", "shell", self.shell.replies, parent=message)
            kernel.set_parent(*cell, channel="shell")


def finish(answer):
    """Run a handler to its end, if it is a coroutine: those that we call never really wait."""
    if hasattr(answer, "send"):
        with contextlib.suppress(StopIteration):
            answer.send(None)


class Shell7:
    """ipykernel 7: a thread reads what the page sends, and passes it to the main thread over a pair of sockets."""

    def __init__(self, kernel):
        self.thread = kernel.shell_channel_thread
        pair = self.thread.manager._shell_channel_to_main
        self.sender, self.receiver = pair.from_socket, pair.to_socket
        self.replies = self.thread.manager.get_subshell_to_shell_channel_socket(None)

    def waiting(self):
        while self.receiver.get(zmq.EVENTS) & zmq.POLLIN:
            yield self.receiver.recv_multipart(copy=False)

    def parts(self, item):
        return item

    def put_back(self, held):
        """The thread stands still while the main thread takes what it sent already; then it sends all of it again."""
        still, taken = threading.Event(), threading.Event()

        def send_again():
            still.set()
            taken.wait(5)
            for parts in held:
                self.sender.send_multipart(parts, copy=False)

        self.thread.io_loop.add_callback(send_again)
        try:
            still.wait(5)
            held.extend(self.waiting())
        finally:
            taken.set()


class Shell6:
    """ipykernel 6: the main thread reads what the page sends itself, into a queue."""

    def __init__(self, kernel):
        self.replies, self.queue = kernel.shell_stream, kernel.msg_queue._queue

    def waiting(self):
        if self.replies.socket.get(zmq.EVENTS) & zmq.POLLIN:
            self.replies.flush(zmq.POLLIN)
        while self.queue:
            yield self.queue.popleft()

    def parts(self, item):
        _, _, arguments = item
        return arguments[0] if arguments else ()

    def put_back(self, held):
        self.queue.extendleft(reversed(held))
