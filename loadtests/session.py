"""The persistent MQTT session of a contender, made before it starts, so that messages can wait for it."""

import struct

from tests.support.generator import open_session, receive_exactly, remaining_length


def register(url: str, client_id: str, topic_filter: str) -> None:
    """Connect once as the contender will, subscribe at QoS 1, and leave."""
    connection = open_session(url, client_id, clean=False)
    name = topic_filter.encode()
    body = struct.pack("!HH", 1, len(name)) + name + b"\x01"
    connection.sendall(b"\x82" + remaining_length(len(body)) + body)
    answer = receive_exactly(connection, 5)
    connection.sendall(b"\xe0\x00")
    connection.close()
    if answer[0] != 0x90 or answer[4] != 1:
        raise ConnectionError(f"the broker did not grant QoS 1 on {topic_filter}: SUBACK {answer.hex()}")


def forget(url: str, client_id: str) -> None:
    """Open a clean session under the same name: the broker throws the old one away."""
    connection = open_session(url, client_id, clean=True)
    connection.sendall(b"\xe0\x00")
    connection.close()
