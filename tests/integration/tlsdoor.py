"""Clients of a fleet that start_tls started: connections and doors over TLS, with what they judge by and show."""

import fleet as fleets
import wire
from streamable import Door


def connect(fleet, context=None, **options):
    options.setdefault("timeout", 15 * fleets.SLOWNESS)
    return wire.Connection(fleet.tls_port, tls=context or fleet.context, **options)


def door(fleet, kind=Door, context=None, **options):
    return kind(fleet.tls_port, tls=context or fleet.context, timeout=15 * fleets.SLOWNESS, **options)
