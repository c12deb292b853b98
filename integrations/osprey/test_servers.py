"""Servers for the tests: a real one, and small ones that make mistakes."""

import contextlib
import json
import os
import socket
import subprocess
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextlib.contextmanager
def replying(*replies):
    """Serves replies `(status, body, headers?)` in order, the last one for ever, and keeps the requests."""
    left = list(replies)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = 'HTTP/1.1'

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers['Content-Length'])))
            self.server.requests.append((self.path, self.headers, body))
            status, content, *headers = left.pop(0) if len(left) > 1 else left[0]
            content = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            for name, value in (headers[0] if headers else {}).items():
                self.send_header(name, value)
            self.send_header('Content-Length', str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments):
            pass

    server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    server.requests = []
    server.url = f'http://127.0.0.1:{server.server_port}'
    thread = threading.Thread(target=server.serve_forever, kwargs={'poll_interval': 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def dripping():
    """Serves an answer that never ends: a byte every 0.1 seconds."""
    listener = socket.create_server(('127.0.0.1', 0))
    ended = threading.Event()

    def drip(connection):
        with connection, contextlib.suppress(OSError):
            connection.sendall(b'HTTP/1.1 200 OK\r\nX-Slow: ')
            while not ended.wait(0.1):
                connection.sendall(b'a')

    def accept():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=drip, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f'http://127.0.0.1:{listener.getsockname()[1]}'
    finally:
        ended.set()
        listener.close()


@contextlib.contextmanager
def magistrate(test):
    """Gives the address of a real server, or skips the test with a reason."""
    url, binary = os.environ.get('MAGISTRATE_URL'), os.environ.get('MAGISTRATE_BINARY')
    if url:
        yield url.rstrip('/')
        return
    if not binary:
        test.skipTest('neither MAGISTRATE_URL nor MAGISTRATE_BINARY is set')
    with socket.create_server(('127.0.0.1', 0)) as free:
        port = free.getsockname()[1]
    command = [binary, 'serve', '--listen', f'127.0.0.1:{port}', '-p', 'spam']
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = f'http://127.0.0.1:{port}'
        _wait_until_ready(process, url)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def _wait_until_ready(process, url):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f'magistrate serve ended with code {process.returncode}')
        with contextlib.suppress(OSError), urllib.request.urlopen(f'{url}/ready', timeout=5):
            return
        time.sleep(0.1)
    raise RuntimeError('magistrate serve is not ready')


def check(url, text):
    """Returns the probability of a text under `spam`: from `magistrate check`, else from a plain request."""
    binary = os.environ.get('MAGISTRATE_BINARY')
    if binary:
        command = [binary, 'check', '-p', 'spam', '--effort', 'none', '--json', text]
        done = subprocess.run(command, capture_output=True, check=False)
        return json.loads(done.stdout)['probability']
    key = os.environ.get('MAGISTRATE_API_KEY')
    headers = {'Content-Type': 'application/json'} | ({'Authorization': f'Bearer {key}'} if key else {})
    content = json.dumps({'policy': 'spam', 'effort': 'none', 'text': text}).encode()
    with urllib.request.urlopen(urllib.request.Request(f'{url}/v1/check', content, headers), timeout=120) as reply:
        return json.load(reply)['probability']
