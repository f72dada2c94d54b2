"""A merchant's door for notifications, on loopback."""

import http.server
import threading

from play import until


class Receiver:
    """Takes notifications, lets the SDK judge them, and answers in the channel's own way.

    `judge(headers, body)` returns what a notification says, or None where the SDK refuses it; `thanks` and `no` are
    the answers: status, content type, body.
    """

    def __init__(self, judge, thanks, no):
        self.accepted = []
        self.refused = []
        receiver = self

        class Door(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = dict(self.headers.items())
                said = judge(headers, body)
                kept = receiver.refused if said is None else receiver.accepted
                kept.append((headers, body, said))
                status, content_type, answer = no if said is None else thanks
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                """What came is kept, not printed."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/notify"

    def wait_for(self, what, fits):
        """Headers, body and meaning of the first accepted notification that fits."""
        return until(what, lambda: next((kept for kept in list(self.accepted) if fits(kept[2])), None))
