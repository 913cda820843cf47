"""Three Kafka nodes on loopback, each broker and controller, for tests that take a leader away."""

from collections.abc import Mapping
from pathlib import Path

from tests.support.kafka import Kafka, new_cluster_id
from tests.support.kafka_client import KafkaClient

REPLICATED = {
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
}


class KafkaCluster:
    """Plaintext only. Two of three nodes must run; `nodes` are ordinary Kafkas, to kill and start one by one."""

    def __init__(self, folder: Path, *, settings: Mapping[str, str] | None = None, nodes: int = 3) -> None:
        cluster_id = new_cluster_id()
        self.nodes = [
            Kafka(folder / str(number), heap_mib=256, cluster_id=cluster_id) for number in range(1, nodes + 1)
        ]
        voters = ",".join(f"{number}@{node.bootstrap('CONTROLLER')}" for number, node in enumerate(self.nodes, start=1))
        for number, node in enumerate(self.nodes, start=1):
            own = {"node.id": str(number), "controller.quorum.voters": voters}
            node.settings |= {**REPLICATED, **own, **(settings or {})}

    def bootstrap(self) -> str:
        return ",".join(node.bootstrap() for node in self.nodes)

    def start(self, timeout: float = 270.0) -> None:
        for node in self.nodes:
            node.launch()
        for node in self.nodes:
            node.wait_started(timeout)

    def stop(self) -> None:
        """Kill: an orderly stop hands every partition over, and the last node waits for a quorum that is gone."""
        for node in self.nodes:
            if node.process.running:
                node.kill()

    def leader(self, topic: str, partition: int = 0) -> Kafka:
        """Find the node that leads a partition now."""
        running = ",".join(node.bootstrap() for node in self.nodes if node.process.running)
        return self.nodes[KafkaClient(running).leaders(topic)[partition] - 1]

    def __enter__(self) -> "KafkaCluster":
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()
