"""What a service reaches that it should not: `isolation.py scan TARGET...` prints those that answered or accepted.
TARGET: tcp:HOST:PORT, udp:HOST:PORT, unix:PATH; `tcp:HOST:PORT:SOURCE` comes from an address that was taken."""
import concurrent.futures
import json
import socket
import struct
import sys


def attempt(target):
    kind, _, rest = target.partition(":")
    try:
        if kind == "unix":
            with socket.socket(socket.AF_UNIX) as link:
                link.settimeout(5)
                link.connect(rest)
            return target
        host, port, *source = rest.split(":")
        with socket.socket(type=socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as link:
            link.settimeout(5)
            if source:
                link.bind((source[0], 0))
            link.connect((host, int(port)))
            if kind == "udp":
                link.send(b"x")
                link.recv(10)
        return target
    except OSError:
        return None


def names(who):
    """Asks systemd-resolved and nscd by their sockets, in their own protocols, and libc."""
    request = {"method": "io.systemd.Resolve.ResolveHostname", "parameters": {"name": f"{who}-resolved.example"}}
    key = f"{who}-nscd.example".encode() + b"\0"
    yield "/run/systemd/resolve/io.systemd.Resolve", json.dumps(request).encode() + b"\0"
    yield "/run/nscd/socket", struct.pack("iii", 2, 4, len(key)) + key


def ask(who):
    for path, request in names(who):
        try:
            with socket.socket(socket.AF_UNIX) as link:
                link.settimeout(6)
                link.connect(path)
                link.send(request)
                link.recv(100)
            yield path
        except TimeoutError:
            yield path
        except OSError:
            pass
    try:
        socket.getaddrinfo(f"{who}-libc.example", 80)
    except OSError:
        pass


if sys.argv[1] == "scan":
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        print(*sorted(filter(None, pool.map(attempt, sys.argv[2:]))))
else:
    print(*ask(sys.argv[2]))
