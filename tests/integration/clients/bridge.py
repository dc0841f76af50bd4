#!/usr/bin/env python3
"""The local socket for clients that can only start a command: bridge.py PATH joins it to standard input and output."""

import os
import socket
import sys
import threading

daemon = socket.socket(socket.AF_UNIX)
daemon.connect(sys.argv[1])


def pass_up():
    while data := os.read(0, 65536):
        daemon.sendall(data)
    daemon.shutdown(socket.SHUT_WR)


threading.Thread(target=pass_up, daemon=True).start()
while data := daemon.recv(65536):
    while data:
        data = data[os.write(1, data):]
