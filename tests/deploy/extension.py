"""AppConfig's Lambda extension, where no layer brings it: on loopback, asking AppConfig with the rights of the broker's role."""

import http.server
import re
import threading

from botocore.exceptions import ClientError


class Extension:
    """Answers for each configuration what was deployed last."""

    def __init__(self, data):
        self._data = data
        self._held = {}
        self._lock = threading.Lock()
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        server.daemon_threads = True
        self.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def latest(self, application, environment, profile):
        """The number of versions that were seen, and the newest one."""
        with self._lock:
            name = (application, environment, profile)
            token, version, content = self._held.get(name) or (self._session(*name), 0, b"")
            answer = self._data.get_latest_configuration(ConfigurationToken=token)
            # Nothing is answered if nothing is new.
            newer = answer["Configuration"].read()
            if newer:
                version, content = version + 1, newer
            self._held[name] = (answer["NextPollConfigurationToken"], version, content)
            return version, content

    def _session(self, application, environment, profile):
        asked = {
            "ApplicationIdentifier": application,
            "EnvironmentIdentifier": environment,
            "ConfigurationProfileIdentifier": profile,
        }
        return self._data.start_configuration_session(**asked)["InitialConfigurationToken"]


def _handler(extension):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            asked = re.fullmatch("/applications/([^/]+)/environments/([^/]+)/configurations/([^/]+)", self.path)
            try:
                version, content = extension.latest(*asked.groups()) if asked else (0, b"")
            except ClientError:
                version, content = 0, b""
            self.send_response(200 if version else 404)
            if version:
                self.send_header("Configuration-Version", str(version))
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    return Handler
