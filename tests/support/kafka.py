"""A real Apache Kafka on loopback: one KRaft node, which keeps its data and its ports over every restart."""

import os
import shutil
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.certs import Certificates
from tests.support.ports import LOOPBACK, free_port
from tests.support.process import Process
from tests.support.toolchain import kafka_classes, kafka_command

MODULES = "org.apache.kafka.common.security"
# Less to compile and one collector thread: the broker is up in half the time on two cores.
FAST_START = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
STARTED = "Kafka Server started"

LOGGING = """status=error
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d %p %m (%c{1})%n
rootLogger.level=info
rootLogger.appenderRef.console.ref=console
logger.config.name=org.apache.kafka.common.config
logger.config.level=warn
logger.broker.name=kafka.server.KafkaConfig
logger.broker.level=warn
"""


class Kafka:
    """One broker. Always a plaintext listener; each other one as its option says.

    certificates: SSL, which requires a client certificate, and (with users) SASL_SSL for SCRAM and PLAIN.
    users: name -> password, for SASL_PLAINTEXT PLAIN and SCRAM, and SASL_PLAINTEXT OAUTHBEARER with unsigned tokens.
    keep_classes: where no archive of Kafka's classes is there yet, an orderly stop writes it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        certificates: Certificates | None = None,
        users: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
        heap_mib: int = 320,
        jvm_options: Sequence[str] = FAST_START,
        port: int | None = None,
        cluster_id: str | None = None,
        keep_classes: bool = False,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.certificates = certificates
        self.users = dict(users or {})
        self.settings = dict(settings or {})
        self._cluster_id = cluster_id or new_cluster_id()
        names = ["PLAINTEXT", "CONTROLLER"]
        names += ["SSL"] if certificates else []
        names += ["SASL_SSL"] if certificates and users else []
        names += ["SASL_PLAINTEXT", "OAUTHBEARER"] if users else []
        self.ports = {name: free_port() for name in names}
        if port is not None:
            self.ports["PLAINTEXT"] = port
        self._life = 0
        self._properties = folder / "server.properties"
        options = [*jvm_options, f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}"]
        self._archive = kafka_classes()
        if self._archive.exists():
            options.append(f"-XX:SharedArchiveFile={self._archive}")
        self._format = [*kafka_command("kafka.tools.StorageTool", options=options), "format"]
        self._kept = folder / "classes.jsa" if keep_classes and not self._archive.exists() else None
        options += [f"-XX:ArchiveClassesAtExit={self._kept}"] if self._kept else []
        command = [*kafka_command("kafka.Kafka", heap_mib=heap_mib, options=options), str(self._properties)]
        self.process = Process(command, folder / "kafka.log", cwd=folder)

    def bootstrap(self, listener: str = "PLAINTEXT") -> str:
        """Name the address of a listener: PLAINTEXT, SSL, SASL_SSL, SASL_PLAINTEXT or OAUTHBEARER."""
        return f"{LOOPBACK}:{self.ports[listener]}"

    def start(self, timeout: float = 180.0) -> None:
        self.launch()
        self.wait_started(timeout)

    def launch(self) -> None:
        """Start without waiting: a node of a cluster comes up only together with others."""
        if not self._properties.exists():
            self._prepare()
        self._life = self.process.log_size()
        self.process.start()

    def wait_started(self, timeout: float = 180.0) -> None:
        self.process.wait_until(lambda: STARTED in self.process.logged(self._life), timeout, what="started")

    def stop(self, timeout: float = 90.0) -> int:
        code = self.process.terminate(timeout)
        if self._kept and self._kept.exists() and not self._archive.exists():
            partial = self._archive.with_suffix(f".{os.getpid()}")
            shutil.copy(self._kept, partial)
            partial.replace(self._archive)
        return code

    def kill(self) -> int:
        """SIGKILL: what a client holds as confirmed must be there after the next start."""
        return self.process.hard_kill()

    def restart(self, timeout: float = 180.0) -> None:
        self.stop()
        self.start(timeout)

    def bounce(self, timeout: float = 180.0) -> None:
        """Restart the hard way."""
        self.kill()
        self.start(timeout)

    def __enter__(self) -> "Kafka":
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _prepare(self) -> None:
        (self.folder / "log4j2.properties").write_text(LOGGING, encoding="utf-8")
        lines = [f"{name}={value}" for name, value in {**self._config(), **self.settings}.items()]
        self._properties.write_text("\n".join(lines) + "\n", encoding="utf-8")
        scram = [
            f"--add-scram={mechanism}=[name={name},password={password}]"
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
            for name, password in self.users.items()
        ]
        formatting = Process(
            [*self._format, "-t", self._cluster_id, "-c", self._properties, *scram],
            self.folder / "format.log",
            cwd=self.folder,
        )
        formatting.start()
        if formatting.wait(180) != 0:
            raise AssertionError(f"Kafka's storage was not formatted:\n{formatting.tail()}")

    def _config(self) -> dict[str, str]:
        secured = {
            "PLAINTEXT": "PLAINTEXT",
            "CONTROLLER": "PLAINTEXT",
            "SSL": "SSL",
            "SASL_SSL": "SASL_SSL",
            "SASL_PLAINTEXT": "SASL_PLAINTEXT",
            "OAUTHBEARER": "SASL_PLAINTEXT",
        }
        listeners = [f"{name}://{LOOPBACK}:{port}" for name, port in self.ports.items()]
        config = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{self.bootstrap('CONTROLLER')}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "listeners": ",".join(listeners),
            "advertised.listeners": ",".join(each for each in listeners if not each.startswith("CONTROLLER")),
            "listener.security.protocol.map": ",".join(f"{name}:{secured[name]}" for name in self.ports),
            "log.dirs": str(self.folder / "data"),
            # A typo in a topic's name must fail in a test as it does in production.
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            # A killed broker may register again only when its old session is over: 9 s unless said otherwise.
            "broker.session.timeout.ms": "3000",
            "broker.heartbeat.interval.ms": "500",
            # A record twice a second, for no follower: a third of what an idle broker takes.
            "metadata.max.idle.interval.ms": "10000",
        }
        for name in ("SSL", "SASL_SSL"):
            config |= self._tls(name) if name in self.ports else {}
        for name in ("SASL_SSL", "SASL_PLAINTEXT"):
            config |= self._passwords(name) if name in self.ports else {}
        return config | (self._tokens("OAUTHBEARER") if "OAUTHBEARER" in self.ports else {})

    def _tls(self, listener: str) -> dict[str, str]:
        if self.certificates is None:
            raise RuntimeError("a TLS listener needs certificates")
        prefix = f"listener.name.{listener.lower()}.ssl"
        return {
            f"{prefix}.keystore.type": "PEM",
            f"{prefix}.keystore.location": str(self.certificates.server.together),
            f"{prefix}.truststore.type": "PEM",
            f"{prefix}.truststore.location": str(self.certificates.ca),
            f"{prefix}.client.auth": "required" if listener == "SSL" else "none",
        }

    def _passwords(self, listener: str) -> dict[str, str]:
        prefix = f"listener.name.{listener.lower()}"
        known = " ".join(f'user_{name}="{password}"' for name, password in self.users.items())
        scram = f"{MODULES}.scram.ScramLoginModule required;"
        return {
            f"{prefix}.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
            f"{prefix}.plain.sasl.jaas.config": f"{MODULES}.plain.PlainLoginModule required {known};",
            f"{prefix}.scram-sha-256.sasl.jaas.config": scram,
            f"{prefix}.scram-sha-512.sasl.jaas.config": scram,
        }

    def _tokens(self, listener: str) -> dict[str, str]:
        """Without a validator of its own the module accepts unsigned tokens: for tests only."""
        prefix = f"listener.name.{listener.lower()}"
        module = f"{MODULES}.oauthbearer.OAuthBearerLoginModule required"
        return {
            f"{prefix}.sasl.enabled.mechanisms": "OAUTHBEARER",
            f"{prefix}.oauthbearer.sasl.jaas.config": f'{module} unsecuredLoginStringClaim_sub="broker";',
        }


def new_cluster_id() -> str:
    # The command line takes an id that begins with a dash for an option.
    return urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode().replace("-", "A")
