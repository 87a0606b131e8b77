"""What a service reaches that it should not: `isolation.py scan TARGET...` prints those that answered or accepted.
TARGET: tcp:HOST:PORT, udp:HOST:PORT, unix:PATH; `tcp:HOST:PORT:SOURCE` comes from an address that was taken.
`isolation.py names WHO` asks for names that begin with WHO; `isolation.py raw TEXT SOURCE,HOST:PORT...` sends datagrams
that it made itself, from addresses that are not its own."""
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


def send_raw(text, path):
    """RFC 791 and 768; the kernel fills in length and checksum of IP, and UDP needs none."""
    source, target = path.split(",")
    host, port = target.split(":")
    data = text.encode()
    udp = struct.pack("!HHHH", 4000, int(port), 8 + len(data), 0) + data
    addresses = socket.inet_aton(source) + socket.inet_aton(host)
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 0, 0, 0, 64, socket.IPPROTO_UDP, 0) + addresses
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as link:
        link.sendto(ip + udp, (host, 0))


if sys.argv[1] == "raw":
    for path in sys.argv[3:]:
        send_raw(sys.argv[2], path)
    print(len(sys.argv[3:]))
elif sys.argv[1] == "scan":
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        print(*sorted(filter(None, pool.map(attempt, sys.argv[2:]))))
else:
    print(*ask(sys.argv[2]), "asked")
